"""Choose the format of a delivered file from the URL, the client's Accept header and the asset."""

from cloudlet.errors import bad_request
from cloudlet.media.file_info import IMAGE_FORMATS
from cloudlet.model import Asset
from cloudlet.transformations import Transformation, TransformationError, looks_like_transformation
from cloudlet.transformations.vocabulary import FORMATS, VIDEO_FORMATS

_SYNONYMS = {"jpeg": "jpg", "jpe": "jpg", "tif": "tiff"}
_KNOWN_FORMATS = frozenset({*IMAGE_FORMATS.values(), "jpeg", "tiff", "pdf", *VIDEO_FORMATS})
_TRANSPARENT_FORMATS = frozenset({"png", "gif", "webp", "avif", "ico", "tiff", "svg"})


def canonical(name: str) -> str:
    """Return the name under which a format is stored, such as jpg for jpeg."""
    return _SYNONYMS.get(name, name)


def split_format(text: str) -> tuple[str, str]:
    """Split ``c_scale,w_100/png`` into chain and format, which is "" if it is absent or empty."""
    chain, slash, last = text.rpartition("/")
    if slash and (not last or (last.lower() in _KNOWN_FORMATS and not looks_like_transformation(last))):
        return chain, last.lower()
    return text, ""


def wanted_format(asset: Asset, transformation: Transformation, extension: str, accept: str) -> str:
    """Return the format in which to deliver an image asset. Raises ApiError 400 if it cannot be made."""
    asked = transformation.format
    if asked == "auto":
        drawn = asset.format != "svg" or transformation.changes_beyond_auto
        return automatic_format(asset.format, accept) if drawn else "svg"
    chosen = made_format(asset.format, transformation, asked or extension)
    if chosen != canonical(asset.format) and chosen not in FORMATS:
        raise bad_request(f"Invalid extension in transformation: {chosen} can't be made by cloudlet")
    return chosen


def made_format(stored: str, transformation: Transformation, asked: str) -> str:
    """Return the format of a derived file. It is PNG if the stored format, such as SVG, cannot be encoded."""
    chosen = canonical(asked or stored)
    is_changed = chosen == canonical(stored) and transformation.changes_beyond_auto
    return "png" if is_changed and chosen not in FORMATS else chosen


def automatic_format(source_format: str, accept: str) -> str:
    """Return the format for `f_auto`: AVIF or WebP if `accept` names them, else a format that all clients support.

    Cloudinary also considers the content. Here the order is fixed.
    """
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if source_format == "gif":
        return "webp" if "image/webp" in accepted else "gif"
    if "image/avif" in accepted:
        return "avif"
    if "image/webp" in accepted:
        return "webp"
    return "png" if source_format in _TRANSPARENT_FORMATS else "jpg"


def needs_rendering(asset: Asset, transformation: Transformation, format_name: str) -> bool:
    """Return whether a file must be made. If not, the bytes of the original are delivered."""
    if format_name != canonical(asset.format):
        return True
    return transformation.changes_pixels and format_name in FORMATS


def refuse_transformation(resource_type: str, stored: str, transformation: Transformation, extension: str) -> None:
    """Raise TransformationError if the transformation would change a raw or video asset.

    For a video, `f_auto`, `q_auto` and `vc_auto` are allowed, because they leave a choice that the original satisfies.
    """
    reason = f"cloudlet doesn't transform {resource_type} assets; only fl_attachment applies"
    is_video = resource_type == "video"
    if transformation.changes_beyond_auto if is_video else transformation.changes_content:
        raise TransformationError(transformation.text, reason)
    asked = transformation.format
    if is_video and asked not in (None, "auto", stored):
        raise TransformationError(f"f_{asked}", reason)
    if asked == "auto" and is_video and extension in VIDEO_FORMATS:
        return
    if extension and canonical(extension) != canonical(stored):
        raise TransformationError(f".{extension}", reason)
