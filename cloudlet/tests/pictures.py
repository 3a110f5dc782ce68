"""Pictures and documents for tests, as bytes and back."""

import io

from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def png(width: int = 30, height: int = 20, colour: str = "red") -> io.BytesIO:
    """Return an open PNG file of one colour."""
    return io.BytesIO(encoded(Image.new("RGB", (width, height), colour)))


def picture(width: int = 400, height: int = 300, format_name: str = "PNG", mode: str = "RGB") -> bytes:
    """Return a gradient, every part of which looks different."""
    bands = [Image.linear_gradient("L").resize((width, height)).rotate(turn) for turn in (0, 90, 180)]
    image = Image.merge("RGB", bands).convert(mode)
    return encoded(image, format_name)


def halves(width: int = 200, height: int = 100) -> bytes:
    """Return a picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return encoded(image)


def pdf(*colours: tuple[int, int, int]) -> bytes:
    """Return a document with a page of 100 x 50 points for each colour."""
    pages = [Image.new("RGB", (100, 50), colour) for colour in colours]
    buffer = io.BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return buffer.getvalue()


def encoded(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
