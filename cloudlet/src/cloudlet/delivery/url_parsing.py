"""Parse delivery URLs: `/{cloud}/{resource_type}/{type}/[s--sig--/][transformations/][v123/]public_id[.format]`.

A path can be ambiguous about where transformations end and folders begin. `DeliveryPath.readings` yields all
interpretations, the most likely first, and the caller takes the first one whose asset exists.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cloudlet.delivery import url_variants
from cloudlet.errors import bad_request, not_found
from cloudlet.ids import MAX_PUBLIC_ID_LENGTH, public_id_problem
from cloudlet.transformations import MAX_COMPONENTS, looks_like_transformation

_SIGNATURE = re.compile(r"s--([A-Za-z0-9_-]{1,64})--")
_VERSION = re.compile(r"v(\d{1,20})")
_EXTENSION = re.compile(r"(.+)\.([A-Za-z0-9]{1,12})", re.DOTALL)
_COMPONENT_LIKE = re.compile(r"\$?[a-z]{1,4}_[^/]+")

_RESOURCE_TYPES = frozenset({"image", "raw", "video"})
_SHORT_FORMS = {
    "iu": ("image", "upload", False),
    "images": ("image", "upload", True),
    "private_images": ("image", "private", True),
    "authenticated_images": ("image", "authenticated", True),
    "files": ("raw", "upload", True),
    "videos": ("video", "upload", True),
}
"""Resource type and type by the first path segment, and whether the last segment is an SEO suffix."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One interpretation of a path.

    `signed_text` holds the texts that a signature in the URL may have been made for. `undecided` is the first segment
    of the public id if it looks like a transformation.
    """

    transformation: str
    version: int | None
    public_id: str
    extension: str
    signed_text: tuple[str, ...]
    undecided: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryPath:
    """The unambiguous parts of a path, and the segments after them, as received and decoded."""

    cloud: str
    resource_type: str
    type: str
    signature: str
    raw_segments: tuple[str, ...]
    segments: tuple[str, ...]
    has_suffix: bool = False

    def readings(self) -> Iterator[Reading]:
        """Yield all readings, those with the longest chain first, and with a format before those without."""
        leading, most = 0, min(len(self.segments) - 1, MAX_COMPONENTS + 1)  # one more, so that parsing reports it
        while leading < most and looks_like_transformation(self.segments[leading]):
            leading += 1
        for cut in range(leading, -1, -1):
            yield from self._read_at(cut)

    def _read_at(self, cut: int) -> Iterator[Reading]:
        match = _VERSION.fullmatch(self.segments[cut])
        if match and cut + 1 < len(self.segments):
            yield from self._read_id(cut, cut + 1, int(match[1]))
        yield from self._read_id(cut, cut, None)

    def _read_id(self, cut: int, start: int, version: int | None) -> Iterator[Reading]:
        transformation = "/".join(self.segments[:cut])
        rest = self.segments[start:]
        undecided = rest[0] if version is None and len(rest) > 1 and _COMPONENT_LIKE.fullmatch(rest[0]) else ""
        path = "/".join(rest)
        signed = self._signed_text_variants(cut, start, suffix=False)
        stem = _EXTENSION.fullmatch(path)
        if self.has_suffix and len(rest) > 1:
            extension = _EXTENSION.fullmatch(rest[-1])
            suffixless = "/".join(rest[:-1])
            texts = self._signed_text_variants(cut, start, suffix=True)
            if extension and self.resource_type != "raw":
                yield Reading(transformation, version, suffixless, extension[2].lower(), texts, undecided)
            yield Reading(transformation, version, suffixless, "", texts, undecided)
        if stem and self.resource_type != "raw":
            yield Reading(transformation, version, stem[1], stem[2].lower(), signed, undecided)
        yield Reading(transformation, version, path, "", signed, undecided)

    def _signed_text_variants(self, cut: int, start: int, *, suffix: bool) -> tuple[str, ...]:
        """Return all variants of the signed text, since clients may escape the URL differently than the SDKs."""
        if not self.signature:
            return ()
        rest = list(self.raw_segments[start:])
        if suffix:
            extension = _EXTENSION.fullmatch(rest.pop())
            rest[-1] += f".{extension[2]}" if extension else ""
        return tuple(
            dict.fromkeys(url_variants.signed_text_variants("/".join(self.raw_segments[:cut]), "/".join(rest)))
        )


def parse_path(raw_path: bytes, default_cloud: str) -> DeliveryPath:
    """Parse the undecoded path of a request.

    URLs of a private CDN have no cloud name and belong to `default_cloud`. Raises ApiError 400 if the path is
    malformed, and 404 if it has too few segments.
    """
    raw = tuple(segment for segment in raw_path.decode("ascii", "replace").split("/") if segment)
    if raw and raw[0] != default_cloud and (raw[0] in _RESOURCE_TYPES or raw[0] in _SHORT_FORMS):
        raw = (default_cloud, *raw)
    segments = tuple(_decode(segment) for segment in raw)
    if len(segments) < 2:
        raise not_found("Resource not found")
    cloud, *_ = segments
    resource_type, type_, skipped, has_suffix = _kind(segments)
    signature = ""
    if len(segments) > skipped and (match := _SIGNATURE.fullmatch(segments[skipped])):
        signature = match[1]
        skipped += 1
    if len(segments) <= skipped:
        raise not_found("Resource not found")
    return DeliveryPath(cloud, resource_type, type_, signature, raw[skipped:], segments[skipped:], has_suffix)


def _kind(segments: tuple[str, ...]) -> tuple[str, str, int, bool]:
    first = segments[1]
    if first in _SHORT_FORMS:
        resource_type, type_, suffix = _SHORT_FORMS[first]
        return resource_type, type_, 2, suffix
    if first in _RESOURCE_TYPES:
        if len(segments) < 4:
            raise not_found("Resource not found")
        return first, segments[2], 3, False
    return "image", "upload", 1, False


def _decode(segment: str) -> str:
    """Percent-decode a segment once. Raises ApiError 400 for invalid UTF-8, dot segments and control characters."""
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request(f"Invalid URL: {segment[:60]} is not percent-encoded UTF-8") from None
    if text in (".", "..") or "\\" in text or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise bad_request(f"Invalid URL: {segment[:60]} is not allowed in a path")
    return text


def check_public_id(public_id: str) -> None:
    """Raise ApiError 400 if no asset can have this public id."""
    if len(public_id) > MAX_PUBLIC_ID_LENGTH:
        raise bad_request("public_id is too long")
    problem = public_id_problem(public_id)
    if problem:
        raise bad_request(problem)
