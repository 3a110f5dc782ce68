"""The error that endpoints raise. The application turns it into a response in Cloudinary's format."""

import re
from collections.abc import Mapping

_OBJECT_REPR = re.compile(r"<[^<>]{1,200} at 0x[0-9A-Fa-f]+>")
"""The default ``repr`` of an object. Messages of library exceptions contain it, but must not leak memory addresses."""


class ApiError(Exception):
    """A request failed. ``status`` and ``message`` are sent to the client.

    The message is sent in the header ``X-Cld-Error``. The body is ``{"error": {"message": ...}}`` in the Upload and
    Admin APIs, and empty in delivery.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        message = _OBJECT_REPR.sub("(...)", message)
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def bad_request(message: str) -> ApiError:
    """Return a 400: the request is invalid."""
    return ApiError(400, message)


def unauthorized(message: str) -> ApiError:
    """Return a 401: the credentials or the signature are missing or wrong."""
    return ApiError(401, message)


def forbidden(message: str) -> ApiError:
    """Return a 403: the client is not allowed to do this."""
    return ApiError(403, message)


def not_found(message: str) -> ApiError:
    """Return a 404: the object does not exist."""
    return ApiError(404, message)


def conflict(message: str) -> ApiError:
    """Return a 409: the object exists already."""
    return ApiError(409, message)


def too_large(size: int, limit: int) -> ApiError:
    """Return a 400 with Cloudinary's message, which clients parse."""
    return ApiError(400, f"File size too large. Got {size}. Maximum is {limit}.")
