"""Helpers for tests of delivery: upload with the SDK, build its URLs, and fetch them without it."""

import io
from typing import Any

import cloudinary.uploader
import requests
from cloudinary.utils import cloudinary_url
from pictures import picture

TIMEOUT_SECONDS = 30
AUTH_TOKEN_KEY = "00112233FF99"
PHOTO = picture()


def upload(content: bytes, public_id: str, **options: Any) -> dict[str, Any]:
    options = {"public_id": public_id, "overwrite": True, "timeout": TIMEOUT_SECONDS, **options}
    result: dict[str, Any] = cloudinary.uploader.upload(io.BytesIO(content), **options)
    return result


def url(public_id: str, **options: Any) -> str:
    text: str = cloudinary_url(public_id, **options)[0]
    return text


def get(address: str, **options: Any) -> requests.Response:
    return requests.get(address, timeout=TIMEOUT_SECONDS, **options)


def refused(response: requests.Response, status: int, words: str) -> None:
    """Assert that a delivery was refused with this status, and with these words in its error header."""
    assert (response.status_code, response.content) == (status, b"")
    assert words in response.headers["X-Cld-Error"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"
