"""Which format a response has: what the URL asks for, what the client accepts, what the asset is."""

from cloudlet.assets import Asset
from cloudlet.errors import bad_request
from cloudlet.transformations import Transformation, TransformationError
from cloudlet.transformations.vocabulary import FORMATS

_SYNONYMS = {"jpeg": "jpg", "jpe": "jpg", "tif": "tiff"}
_TRANSPARENT_FORMATS = frozenset({"png", "gif", "webp", "avif", "ico", "tiff"})


def canonical(name: str) -> str:
    return _SYNONYMS.get(name, name)


def wanted_format(asset: Asset, transformation: Transformation, extension: str, accept: str) -> str:
    """The format to deliver an image asset in. Raises 400 for one that can't be made."""
    asked = transformation.format
    if asked == "auto":
        return automatic_format(asset.format, accept)
    chosen = canonical(asked or extension or asset.format)
    if chosen != canonical(asset.format) and chosen not in FORMATS:
        raise bad_request(f"Invalid extension in transformation: {chosen}")
    return chosen


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
    return transformation.changes_pixels


def refuse_transformation(asset: Asset, transformation: Transformation, extension: str) -> None:
    """Raw and video assets are delivered as they are; anything else is named in a 400."""
    reason = f"cloudlet doesn't transform {asset.resource_type} assets; only fl_attachment applies"
    if transformation.changes_content:
        raise TransformationError(transformation.text, reason)
    if extension and canonical(extension) != canonical(asset.format):
        raise TransformationError(f".{extension}", reason)
