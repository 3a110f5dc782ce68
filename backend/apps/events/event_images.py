"""Validate, rotate and scale down the pictures that organisers upload."""

from __future__ import annotations

import hashlib

from django.core.exceptions import ValidationError

from apps.core import sandbox

from .models import Event, EventImage

MAX_BYTES = 10 * 1024 * 1024
WORKER = "apps.events.picture_worker"
MEMORY_BYTES = 640 * 1024 * 1024
CPU_SECONDS = 20
STORED = {EventImage.Kind.COVER: ("JPEG", 1600), EventImage.Kind.LOGO: ("PNG", 600)}  # the format, the longest side


def save_event_image(event: Event, kind: EventImage.Kind, content: bytes) -> EventImage:
    """Save an uploaded picture as the event's cover or logo. Raises ValidationError if `prepare` refuses it."""
    stored, media_type = prepare(kind, content)
    image, _ = EventImage.objects.update_or_create(
        event=event,
        kind=kind,
        defaults={"content": stored, "media_type": media_type, "sha256": hashlib.sha256(stored).hexdigest()},
    )
    return image


def prepare(kind: EventImage.Kind, content: bytes) -> tuple[bytes, str]:
    """Return the picture as JPEG (covers) or PNG with transparency (logos), and its media type.

    See `picture_input.py` of ticketkit for the accepted formats. Raises ValidationError, with a message for the user,
    if the picture is not accepted.
    """
    if len(content) > MAX_BYTES:
        raise ValidationError(f"The picture is larger than {MAX_BYTES // 1024 // 1024} MB. Upload a smaller one.")
    image_format, longest_side = STORED[kind]
    try:
        stored = sandbox.run(
            WORKER, content, image_format, str(longest_side), memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS
        )
    except sandbox.RefusedError as error:
        raise ValidationError(str(error)) from error
    except sandbox.ExhaustedError as error:
        raise ValidationError("The picture is damaged, or needs too much memory. Upload a smaller one.") from error
    return stored, f"image/{image_format.lower()}"
