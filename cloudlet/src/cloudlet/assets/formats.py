"""Which format a response has: what the URL asks for, what the client accepts, what the asset is."""

from cloudlet.errors import bad_request
from cloudlet.media.file_info import IMAGE_FORMATS
from cloudlet.model import Asset
from cloudlet.transformations import Transformation, TransformationError, looks_like_transformation
from cloudlet.transformations.vocabulary import FORMATS, VIDEO_FORMATS

_SYNONYMS = {"jpeg": "jpg", "jpe": "jpg", "tif": "tiff"}
_KNOWN_FORMATS = frozenset({*IMAGE_FORMATS.values(), "jpeg", "tiff", "pdf", *VIDEO_FORMATS})
_TRANSPARENT_FORMATS = frozenset({"png", "gif", "webp", "avif", "ico", "tiff", "svg"})


def canonical(name: str) -> str:
    return _SYNONYMS.get(name, name)


def split_format(text: str) -> tuple[str, str]:
    """``c_scale,w_100/png`` into chain and format; the format may be absent or empty."""
    chain, slash, last = text.rpartition("/")
    if slash and (not last or (last.lower() in _KNOWN_FORMATS and not looks_like_transformation(last))):
        return chain, last.lower()
    return text, ""


def wanted_format(asset: Asset, transformation: Transformation, extension: str, accept: str) -> str:
    """The format to deliver an image asset in. Raises 400 for one that can't be made."""
    asked = transformation.format
    if asked == "auto":
        drawn = asset.format != "svg" or transformation.changes_beyond_auto
        return automatic_format(asset.format, accept) if drawn else "svg"
    chosen = made_format(asset.format, transformation, asked or extension)
    if chosen != canonical(asset.format) and chosen not in FORMATS:
        raise bad_request(f"Invalid extension in transformation: {chosen} can't be made by cloudlet")
    return chosen


def made_format(stored: str, transformation: Transformation, asked: str) -> str:
    """Return the format of what is made of a stored file: PNG for one that can be read but not written, such as SVG."""
    chosen = canonical(asked or stored)
    is_changed = chosen == canonical(stored) and transformation.changes_beyond_auto
    return "png" if is_changed and chosen not in FORMATS else chosen


def automatic_format(source_format: str, accept: str) -> str:
    """`f_auto`: AVIF or WebP for clients that name them, else a format that every client reads.

    Cloudinary also weighs the content; here the order is fixed.
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
    """False when the original's own bytes are the answer."""
    if format_name != canonical(asset.format):
        return True
    return transformation.changes_pixels and format_name in FORMATS


def refuse_transformation(resource_type: str, stored: str, transformation: Transformation, extension: str) -> None:
    """Raw and video assets are delivered as they are; anything else is named in a 400.

    What leaves a choice to the server (`f_auto`, `q_auto`, `vc_auto`) is met by the original of a video.
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
