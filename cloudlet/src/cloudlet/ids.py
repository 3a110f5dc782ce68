"""What a public id, a folder or a type may look like."""

import re
import secrets
import string

from cloudlet.errors import bad_request

MAX_LENGTH = 255
_FORBIDDEN = re.compile(r"[?&#\\%<>+\x00-\x1f\x7f\ud800-\udfff]")
_ALPHABET = string.ascii_lowercase + string.digits
DELIVERY_TYPES = frozenset({"upload", "private", "authenticated"})


def public_id_problem(public_id: str, name: str = "public_id") -> str:
    """Why ``public_id`` cannot name an asset, as the caller will read it; empty when it can.

    The rules are Cloudinary's (up to 255 characters; no ``? & # \\ % < > +``; no space or slash at either end), and
    besides: no control or unpaired surrogate characters, and no empty, ``.`` or ``..`` path segment, because a
    URL with those can never reach the asset.
    """
    shown = public_id[:80].encode("unicode_escape").decode()
    if not public_id:
        return f"Missing required parameter - {name}"
    if len(public_id) > MAX_LENGTH:
        return f"{name} ({shown}...) is too long: at most {MAX_LENGTH} characters"
    if _FORBIDDEN.search(public_id):
        return f"{name} ({shown}) is invalid: it must not contain ? & # \\ % < > + or control characters"
    if public_id != public_id.strip() or public_id.startswith("/") or public_id.endswith("/"):
        return f"{name} ({shown}) is invalid: it must not begin or end with a space or a slash"
    if any(segment in ("", ".", "..") for segment in public_id.split("/")):
        return f"{name} ({shown}) is invalid: it must not contain empty, . or .. path segments"
    return ""


def checked_public_id(public_id: str, name: str = "public_id") -> str:
    """``public_id`` itself, or 400 with the reason."""
    problem = public_id_problem(public_id, name)
    if problem:
        raise bad_request(problem)
    return public_id


def checked_folder(path: str, name: str = "folder") -> str:
    """A folder path without slashes at its ends; empty for the root."""
    trimmed = path.strip("/")
    return checked_public_id(trimmed, name) if trimmed else ""


def checked_type(value: str) -> str:
    """A delivery type that assets can be uploaded to."""
    if value not in DELIVERY_TYPES:
        raise bad_request(f"Invalid type {value[:40]}. Must be one of: {', '.join(sorted(DELIVERY_TYPES))}")
    return value


def random_id(length: int = 20) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def from_filename(filename: str) -> str:
    """The stem of an uploaded file's name, made fit for a public id."""
    stem = filename.replace("\\", "/").rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    cleaned = _FORBIDDEN.sub("_", stem).replace(" ", "_").strip("./ ")
    return cleaned[:200] or "file"
