"""The one error type that endpoints raise; the app turns it into Cloudinary's wire shape."""

import re
from collections.abc import Mapping

_OBJECT = re.compile(r"<[^<>]{1,200} at 0x[0-9A-Fa-f]+>")
"""An object's representation, which texts of libraries' exceptions hold: an address in memory is nobody's business."""


class ApiError(Exception):
    """A refusal with an HTTP status and the text that the caller will read.

    The text goes into the ``X-Cld-Error`` header. The body of the Upload and Admin APIs is
    ``{"error": {"message": ...}}``, that of delivery empty.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        message = _OBJECT.sub("(...)", message)
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


def too_large(size: int, limit: int) -> ApiError:
    """Return a 400 in Cloudinary's words, which clients parse."""
    return ApiError(400, f"File size too large. Got {size}. Maximum is {limit}.")
