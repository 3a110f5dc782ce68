"""Pictures for tests, as bytes and back."""

import io

from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(width: int = 400, height: int = 300, format_name: str = "PNG", mode: str = "RGB") -> bytes:
    """A gradient, so that every part of it is told apart."""
    bands = [Image.linear_gradient("L").resize((width, height)).rotate(turn) for turn in (0, 90, 180)]
    image = Image.merge("RGB", bands).convert(mode)
    return encoded(image, format_name)


def halves(width: int = 200, height: int = 100) -> bytes:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return encoded(image)


def encoded(image: Image.Image, format_name: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name)
    return buffer.getvalue()


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
