"""Scale down an uploaded picture. Runs in a sandbox, without Django."""

from __future__ import annotations

import io

from apps.core.sandbox import RefusedError, serve
from ticketkit import PictureError, on_white, open_picture


def prepare(content: bytes, image_format: str, longest_side: str) -> bytes:
    """Return the picture as JPEG on white, or as PNG with transparency, in sRGB and without a colour profile.

    Raises RefusedError, with a message for the user, if it is not an acceptable picture.
    """
    try:
        picture = open_picture(content, shrink_to=int(longest_side))
    except PictureError as error:
        raise RefusedError(str(error)) from error
    buffer = io.BytesIO()
    if image_format == "JPEG":
        on_white(picture).save(buffer, "JPEG", quality=88, optimize=True)
    else:
        picture.convert("RGBA").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    serve(prepare)
