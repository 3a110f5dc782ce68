"""The one error type that endpoints raise; the app turns it into Cloudinary's wire shape."""

from collections.abc import Mapping


class ApiError(Exception):
    """A refusal with an HTTP status and the text that the caller will read.

    The Upload and Admin APIs answer it as ``{"error": {"message": ...}}``; delivery answers it with an empty
    body and the text in the ``X-Cld-Error`` header.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def bad_request(message: str) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, message)


def unauthorized(message: str) -> ApiError:
    """401: who is asking, or the signature, is wrong."""
    return ApiError(401, message)


def forbidden(message: str) -> ApiError:
    """403: whoever asks may not."""
    return ApiError(403, message)


def not_found(message: str) -> ApiError:
    """404: what was named does not exist."""
    return ApiError(404, message)


def conflict(message: str) -> ApiError:
    """409: what was named exists already."""
    return ApiError(409, message)
