"""``text``: make an image of a text."""

import asyncio
import io

from cloudlet import ids
from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.transformations.colors import parse_color
from cloudlet.transformations.model import RGBA, Background, TextLayer, TextStyle
from cloudlet.transformations.text import draw_text
from cloudlet.upload_api.composites import store_image
from cloudlet.upload_api.upload_call import UploadCall
from cloudlet.web.params import Params

MAX_PIXELS = 20_000_000


async def text(call: UploadCall) -> Json:
    """Make an image of a text and store it under the type ``text``.

    Raises ApiError 400 if the text is too long or the image would be too large.
    """
    params = call.params
    content = params.required("text")
    if len(content) > 5000:
        raise bad_request("Text is too long: at most 5000 characters")
    data = await asyncio.to_thread(_draw, params, content)
    public_id = ids.checked_public_id(params.text("public_id") or ids.random_id(32))
    asset = await store_image(call, data, "text", public_id)
    return call.presenter.uploaded(asset)


def _draw(params: Params, content: str) -> bytes:
    weight, slant = params.text("font_weight", "normal"), params.text("font_style", "normal")
    style = TextStyle(
        family=params.text("font_family", "Arial"),
        size=params.integer("font_size", 12, low=1, high=500),
        weight=weight,
        italic=slant == "italic",
        underline=params.text("text_decoration") == "underline",
    )
    background = Background("color", _colour(params, "background", "transparent")) if "background" in params else None
    colour = _colour(params, "font_color", "black")
    picture = draw_text(TextLayer(style, content), colour, background, None, _check_size)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _check_size(width: int, height: int, component: str) -> None:
    if width * height > MAX_PIXELS:
        raise bad_request(f"{component}: the picture would be too large")


def _colour(params: Params, name: str, default: str) -> RGBA:
    try:
        return parse_color(params.text(name, default))
    except ValueError as error:
        raise bad_request(f"Invalid {name}: {error}") from error
