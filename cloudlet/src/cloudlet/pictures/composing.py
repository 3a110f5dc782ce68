"""Combine many images in one file. Runs in the worker process."""

import io
from collections.abc import Iterator, Sequence

from PIL import Image

from cloudlet.errors import bad_request
from cloudlet.media.worker_pool import Reply
from cloudlet.pictures import Source
from cloudlet.transformations import decode
from cloudlet.transformations.rendering import Limits

_FRAME_MS = 500


def sheet(named: Sequence[tuple[str, Source]], limits: Limits) -> Reply:
    """Return the position of each image, and a PNG with all of them below each other. Raises ApiError 400."""
    pictures = list(_pictures([source for _, source in named], limits))
    size = (max(picture.width for picture in pictures), sum(picture.height for picture in pictures))
    _check(size, limits)
    whole, infos, top = Image.new("RGBA", size, (0, 0, 0, 0)), {}, 0
    for (name, _), picture in zip(named, pictures, strict=True):
        whole.paste(picture, (0, top))
        infos[name] = {"width": picture.width, "height": picture.height, "x": 0, "y": top}
        top += picture.height
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    return {"infos": infos}, buffer.getvalue()


def animation(frames: Sequence[Source], format_: str, limits: Limits) -> Reply:
    """Return one file with all frames, on a canvas that fits the largest. Raises ApiError 400."""
    pictures = list(_pictures(frames, limits))
    size = (max(picture.width for picture in pictures), max(picture.height for picture in pictures))
    _check((size[0], size[1] * len(pictures)), limits)
    pages = []
    for picture in pictures:
        page = Image.new("RGB", size, "white")
        page.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2), picture)
        pages.append(page)
    buffer = io.BytesIO()
    first, *rest = pages
    if format_ == "pdf":
        first.save(buffer, "PDF", save_all=True, append_images=rest)
    else:
        first.save(buffer, format_.upper(), save_all=True, append_images=rest, duration=_FRAME_MS, loop=0)
    return {}, buffer.getvalue()


def read(source: Source) -> bytes:
    """Return the bytes of a source."""
    return source if isinstance(source, bytes) else source.read_bytes()


def _pictures(sources: Sequence[Source], limits: Limits) -> Iterator[Image.Image]:
    """Yield the decoded images. Raises ApiError 400 if they exceed the limit of one image together."""
    pixels = 0
    for source in sources:
        picture = decode(read(source), limits).frames[0].convert("RGBA")
        pixels += picture.width * picture.height
        _check((pixels, 1), limits)
        yield picture


def _check(size: tuple[int, int], limits: Limits) -> None:
    if size[0] * size[1] > limits.step_pixels:
        raise bad_request(f"The pictures are too large together: at most {limits.step_pixels / 1e6:g} megapixels")
