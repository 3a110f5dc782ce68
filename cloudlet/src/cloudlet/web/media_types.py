"""Content types by extension, and whether a browser might execute them."""

import mimetypes

_TYPES = {
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "jpe": "image/jpeg", "png": "image/png", "webp": "image/webp",
    "avif": "image/avif", "gif": "image/gif", "bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff",
    "ico": "image/x-icon", "svg": "image/svg+xml", "pdf": "application/pdf", "heic": "image/heic",
    "jp2": "image/jp2", "tga": "image/x-tga",
    "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "ogv": "video/ogg", "m3u8":
    "application/x-mpegURL", "mp3": "audio/mpeg", "wav": "audio/wav", "ogg": "audio/ogg", "m4a": "audio/mp4",
    "json": "application/json", "zip": "application/zip", "txt": "text/plain", "csv": "text/csv",
}  # fmt: skip
_PASSIVE = ("image/", "video/", "audio/", "font/", "application/pdf", "application/zip", "application/octet-stream")


def media_type(format_name: str, name: str) -> str:
    """Return the content type of `format_name`, or else of the extension of `name`, or else octet-stream."""
    extension = format_name or name.rpartition("/")[2].rpartition(".")[2]
    known = _TYPES.get(extension.lower()) or mimetypes.guess_type(f"x.{extension.lower()}")[0]
    kind = known or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def is_active(content_type: str) -> bool:
    """Return whether a browser may execute the content (HTML, SVG, XML, scripts), so that it needs a sandbox."""
    return "svg" in content_type or not content_type.startswith(_PASSIVE)
