"""Validate and generate public ids, folders and types."""

import re
import secrets
import string

from cloudlet.errors import bad_request

MAX_PUBLIC_ID_LENGTH = 255
_FORBIDDEN = re.compile(r"[?&#\\%<>+\x00-\x1f\x7f\ud800-\udfff]")
_ALPHABET = string.ascii_lowercase + string.digits
DELIVERY_TYPES = frozenset({"upload", "private", "authenticated"})


def public_id_problem(public_id: str, name: str = "public_id") -> str:
    r"""Return why ``public_id`` is invalid, as a message for the client, or "" if it is valid.

    Cloudinary's rules are: up to 255 characters, none of ``? & # \ % < > +``, no space or slash at either end. In
    addition, control characters, unpaired surrogates and empty, ``.`` or ``..`` path segments are refused, because
    URLs that contain them do not reach the asset.
    """
    shown = public_id[:80].encode("unicode_escape").decode()
    if not public_id:
        return f"Missing required parameter - {name}"
    if len(public_id) > MAX_PUBLIC_ID_LENGTH:
        return f"{name} ({shown}...) is too long: at most {MAX_PUBLIC_ID_LENGTH} characters"
    if _FORBIDDEN.search(public_id):
        return f"{name} ({shown}) is invalid: it must not contain ? & # \\ % < > + or control characters"
    if public_id != public_id.strip() or public_id.startswith("/") or public_id.endswith("/"):
        return f"{name} ({shown}) is invalid: it must not begin or end with a space or a slash"
    if any(segment in ("", ".", "..") for segment in public_id.split("/")):
        return f"{name} ({shown}) is invalid: it must not contain empty, . or .. path segments"
    return ""


def checked_public_id(public_id: str, name: str = "public_id") -> str:
    """Return ``public_id``. Raises ApiError 400 if it is invalid."""
    problem = public_id_problem(public_id, name)
    if problem:
        raise bad_request(problem)
    return public_id


def checked_folder(path: str, name: str = "folder") -> str:
    """Return the path without slashes at its ends, "" for the root. Raises ApiError 400 if it is invalid."""
    trimmed = path.strip("/")
    return checked_public_id(trimmed, name) if trimmed else ""


def checked_type(value: str) -> str:
    """Return ``value``. Raises ApiError 400 if it is not a delivery type for uploads."""
    if value not in DELIVERY_TYPES:
        raise bad_request(f"Invalid type {value[:40]}. Must be one of: {', '.join(sorted(DELIVERY_TYPES))}")
    return value


def random_id(length: int = 20) -> str:
    """Return an unguessable id of lower case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def from_filename(filename: str) -> str:
    """Return the stem of a file name as a valid public id."""
    stem = filename.replace("\\", "/").rpartition("/")[2]
    stem = stem.rpartition(".")[0] or stem
    cleaned = _FORBIDDEN.sub("_", stem).replace(" ", "_").strip("./ ")
    return cleaned[:200] or "file"
