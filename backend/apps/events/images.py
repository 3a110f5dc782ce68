"""Pictures that organisers upload: checked, turned upright, and made small before they are kept."""

from __future__ import annotations

import hashlib
import io
import warnings

from django.core.exceptions import ValidationError
from PIL import Image, ImageOps, UnidentifiedImageError

from .models import Event, EventImage

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000
LONGEST_SIDE = {EventImage.Kind.COVER: 1600, EventImage.Kind.LOGO: 600}


def save_event_image(event: Event, kind: EventImage.Kind, content: bytes) -> EventImage:
    """Keep an uploaded picture as the event's cover or logo. Raises ValidationError, which says what is wrong."""
    stored, media_type = prepare(kind, content)
    image, _ = EventImage.objects.update_or_create(
        event=event,
        kind=kind,
        defaults={"content": stored, "media_type": media_type, "sha256": hashlib.sha256(stored).hexdigest()},
    )
    return image


def prepare(kind: EventImage.Kind, content: bytes) -> tuple[bytes, str]:
    """The picture as JPEG (covers) or PNG (logos, which keep their transparency), and its media type.

    Raises ValidationError for what is no picture, is too large, or would unpack to too many pixels.
    """
    if len(content) > MAX_BYTES:
        raise ValidationError(f"The picture is larger than {MAX_BYTES // 1024 // 1024} MB. Upload a smaller one.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP"))
            if opened.width * opened.height > MAX_PIXELS:
                raise ValidationError("The picture has more than 40 million pixels. Upload a smaller one.")
            picture = ImageOps.exif_transpose(opened)
            side = LONGEST_SIDE[kind]
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise ValidationError("This file is not a whole JPEG, PNG or WebP picture.") from error
    buffer = io.BytesIO()
    if kind == EventImage.Kind.COVER:
        picture.convert("RGB").save(buffer, "JPEG", quality=88, optimize=True)
        return buffer.getvalue(), "image/jpeg"
    picture.convert("RGBA").save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), "image/png"
