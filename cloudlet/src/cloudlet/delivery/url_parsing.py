"""What a delivery URL says: `/{cloud}/{resource_type}/{type}/[s--sig--/][transformations/][v123/]public_id[.format]`.

The path alone doesn't always tell where transformations end and folders begin. All readings are offered in the order
of likelihood; the caller takes the first whose asset exists.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cloudlet.delivery import spellings
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
"""First path segment to resource type, type, and whether the last segment is a suffix for search engines."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a path. `signed_text` is what a signature in the URL, if any, must have been made of."""

    transformation: str
    version: int | None
    public_id: str
    extension: str
    signed_text: tuple[str, ...]
    undecided: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryPath:
    """The parts of a path that are certain, and its segments behind them, as received and decoded."""

    cloud: str
    resource_type: str
    type: str
    signature: str
    raw_segments: tuple[str, ...]
    segments: tuple[str, ...]
    has_suffix: bool = False

    def readings(self) -> Iterator[Reading]:
        """Longest chain of transformations first; with a format before without one."""
        leading, most = 0, min(len(self.segments) - 1, MAX_COMPONENTS + 1)  # one more is told as too many
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
        signed = self._signed_texts(cut, start, suffix=False)
        stem = _EXTENSION.fullmatch(path)
        if self.has_suffix and len(rest) > 1:
            extension = _EXTENSION.fullmatch(rest[-1])
            suffixless = "/".join(rest[:-1])
            texts = self._signed_texts(cut, start, suffix=True)
            if extension and self.resource_type != "raw":
                yield Reading(transformation, version, suffixless, extension[2].lower(), texts, undecided)
            yield Reading(transformation, version, suffixless, "", texts, undecided)
        if stem and self.resource_type != "raw":
            yield Reading(transformation, version, stem[1], stem[2].lower(), signed, undecided)
        yield Reading(transformation, version, path, "", signed, undecided)

    def _signed_texts(self, cut: int, start: int, *, suffix: bool) -> tuple[str, ...]:
        """Return all spellings: SDKs sign the text as they put it into the URL, yet clients may escape it anew."""
        if not self.signature:
            return ()
        rest = list(self.raw_segments[start:])
        if suffix:
            extension = _EXTENSION.fullmatch(rest.pop())
            rest[-1] += f".{extension[2]}" if extension else ""
        return tuple(dict.fromkeys(spellings.signed_texts("/".join(self.raw_segments[:cut]), "/".join(rest))))


def parse_path(raw_path: bytes, default_cloud: str) -> DeliveryPath:
    """Split a request's undecoded path.

    URLs of a private CDN carry no cloud name; they mean `default_cloud`. Raises ApiError 400 for what can't be a
    delivery URL, 404 for a strange one.
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
    """Percent-decoded once. What decodes to a separator, a dot segment or no text at all is refused by name."""
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request(f"Invalid URL: {segment[:60]} is not percent-encoded UTF-8") from None
    if text in (".", "..") or "\\" in text or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise bad_request(f"Invalid URL: {segment[:60]} is not allowed in a path")
    return text


def check_public_id(public_id: str) -> None:
    """400 for an id that nothing can be stored under."""
    if len(public_id) > MAX_PUBLIC_ID_LENGTH:
        raise bad_request("public_id is too long")
    problem = public_id_problem(public_id)
    if problem:
        raise bad_request(problem)
