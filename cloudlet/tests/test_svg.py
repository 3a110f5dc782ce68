"""SVG: delivered unchanged, rendered for transformations, and unable to read other files."""

import base64
import re
from pathlib import Path

import cloudinary.uploader
import pytest
from cloudinary.exceptions import BadRequest
from deliveries import get, refused, upload, url
from pictures import BLUE, RED, decoded, halves, picture
from PIL import Image

from cloudlet.errors import bad_request
from cloudlet.media import svg

pytestmark = pytest.mark.usefixtures("server")
XMLNS = b'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
LOGO = (
    b'<?xml version="1.0"?><svg %s width="200" height="100"><rect width="100" height="100" fill="red"/></svg>' % XMLNS
)
MAX_PIXELS = 1_000_000


def drawn(content: bytes, density: int | None = None) -> Image.Image:
    return decoded(svg.rasterize(content, density, MAX_PIXELS)).convert("RGBA")


def test_svg_is_delivered_unchanged_and_rendered_for_a_transformation() -> None:
    upload(LOGO, "svg/logo")
    assert get(url("svg/logo.svg")).content == LOGO
    for options, size, kind in (
        ({"width": 100, "crop": "scale"}, (100, 50), "PNG"),
        ({"width": 100, "height": 100, "crop": "pad", "background": "blue", "format": "jpg"}, (100, 100), "JPEG"),
        ({"format": "png"}, (200, 100), "PNG"),
        ({"format": "svg", "effect": "grayscale"}, (200, 100), "PNG"),
        ({"format": "png", "density": 192}, (400, 200), "PNG"),
        ({"fetch_format": "webp", "width": 50, "crop": "fit"}, (50, 25), "WEBP"),
    ):
        answer = get(url("svg/logo", **options))
        made = decoded(answer.content)
        assert (answer.status_code, made.size, made.format) == (200, size, kind)
        assert answer.headers["Content-Type"] == f"image/{kind.lower()}"
    assert decoded(get(url("svg/logo.png")).content).convert("RGBA").getpixel((50, 50)) == (*RED, 255)
    assert decoded(get(url("svg/logo.png")).content).convert("RGBA").getpixel((150, 50))[3] == 0


def test_automatic_format_and_quality_keep_the_vector() -> None:
    upload(LOGO, "svg/auto")
    for options in ({"fetch_format": "auto"}, {"fetch_format": "auto", "quality": "auto"}, {"quality": "auto"}):
        answer = get(url("svg/auto.svg", **options), headers={"Accept": "image/avif,image/webp"})
        assert (answer.content, answer.headers["Content-Type"]) == (LOGO, "image/svg+xml")
    drawn = get(url("svg/auto", fetch_format="auto", width=20, crop="scale"), headers={"Accept": "image/webp"})
    assert decoded(drawn.content).format == "WEBP"


def test_upload_may_ask_for_a_rendered_svg() -> None:
    made = upload(LOGO, "svg/eager", eager=[{"width": 20, "crop": "scale"}])["eager"][0]
    assert (made["format"], made["width"], made["height"]) == ("png", 20, 10)
    assert decoded(get(made["secure_url"]).content).size == (20, 10)
    assert upload(LOGO, "svg/incoming", transformation={"width": 20, "crop": "scale"})["format"] == "png"
    assert upload(LOGO, "svg/converted", format="webp")["format"] == "webp"


def test_svg_can_be_a_layer() -> None:
    upload(picture(400, 300), "svg/base")
    upload(LOGO, "svg/layer")
    marked = decoded(get(url("svg/base.png", overlay="svg:layer", gravity="north_west")).content).convert("RGB")
    assert marked.getpixel((50, 50)) == RED


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        (b'width="1in" height="36pt"', (96, 48)),
        (b'width="25.4mm" height="2.54cm"', (96, 96)),
        (b'viewBox="0 0 40 30"', (40, 30)),
        (b'viewBox="0 0 40 30" width="80"', (80, 60)),
        (b'viewBox="0 0 40 30" width="100%" height="100%"', (40, 30)),
        (b"", (100, 100)),
    ],
)
def test_size_is_taken_from_width_height_and_viewbox(attributes: bytes, size: tuple[int, int]) -> None:
    assert drawn(b'<svg %s %s><rect width="100" height="100"/></svg>' % (XMLNS, attributes)).size == size


def test_nothing_outside_of_the_file_is_read(tmp_path: Path) -> None:
    """Each reference leads to a blue picture, which would be visible."""
    (tmp_path / "blue.png").write_bytes(halves(20, 20))
    path = str(tmp_path / "blue.png").encode()
    nested = base64.b64encode(
        b'<svg %s width="9" height="9"><image width="9" height="9" href="%s"/></svg>' % (XMLNS, path)
    )
    entity = b'<!DOCTYPE svg [<!ENTITY f "%s">]>' % path
    for reference in (
        b'<image width="90" height="90" xlink:href="%s"/>' % path,
        b'<image width="90" height="90" href="file://%s"/>' % path,
        b'<image width="90" height="90" href=" %s"/>' % path,
        b'<image width="90" height="90" href="&f;"/>',
        b'<image width="90" height="90" href="http://127.0.0.1:1/blue.png"/>',
        b'<image width="90" height="90" href="data:image/svg+xml;base64,%s"/>' % nested,
        b'<image width="90" height="90" href="data:text/plain;base64,%s"/>' % nested,
        b'<image width="90" height="90" href="data:image/jpg;base64,%s"/>' % nested,
        b'<filter id="x"><feImage href="%s"/></filter><rect width="90" height="90" filter="url(#x)"/>' % path,
        b'<style>@import url("%s"); rect {fill: url("%s")}</style>' % (path, path),
        b'<?xml-stylesheet href="%s"?>' % path,
    ):
        content = entity + b'<svg %s width="90" height="90">%s</svg>' % (XMLNS, reference)
        assert drawn(content).getextrema()[3] == (0, 0), reference
    external = b'<!DOCTYPE svg [<!ENTITY f SYSTEM "file://%s">]><svg %s><text>&f;</text></svg>' % (path, XMLNS)
    with pytest.raises(svg.SvgError, match="not a readable SVG: undefined entity"):
        svg.rasterize(external, None, MAX_PIXELS)


def test_embedded_pictures_and_internal_references_are_rendered() -> None:
    blue = base64.b64encode(picture(10, 10))
    embedded = b'<image width="90" height="90" xlink:href="data:image/png;base64,%s"/>' % blue
    assert drawn(b'<svg %s width="90" height="90">%s</svg>' % (XMLNS, embedded)).getextrema()[3] == (255, 255)
    used = b'<defs><rect id="r" width="90" height="90" fill="blue"/></defs><use href="#r"/>'
    assert drawn(b'<svg %s width="90" height="90">%s</svg>' % (XMLNS, used)).getpixel((45, 45)) == (*BLUE, 255)


HOSTILE = {
    "huge": b'<svg %s width="100000" height="100000"/>' % XMLNS,
    "entities": b"<!DOCTYPE svg [<!ENTITY a0 'x'>%s]><svg %s>&a9;</svg>"
    % (b"".join(b"<!ENTITY a%d '%s'>" % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)), XMLNS),
    "uses": b'<svg %s width="9" height="9"><defs><g id="g0"><path d="M0 0h1"/></g>%s</defs><use href="#g8"/></svg>'
    % (XMLNS, b"".join(b'<g id="g%d">%s</g>' % (i, b'<use href="#g%d"/>' % (i - 1) * 10) for i in range(1, 9))),
    "filters": b'<svg %s width="990" height="990"><filter id="f"><feGaussianBlur stdDeviation="99"/></filter>%s%s</svg>'
    % (XMLNS, b'<g filter="url(#f)"><path d="M0 0h9v9"/>' * 900, b"</g>" * 900),
    "unbounded": b'<svg %s><path d="M0 0h1e9v1e9z"/></svg>' % XMLNS,
    "cut": LOGO[:-20],
    "no svg": b"<svg></html>",
    "binary": b"<svg " + bytes(range(256)),
    "encoding": b'<?xml version="1.0" encoding="nonsense"?><svg/>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_svg_that_cannot_be_rendered_is_an_error(name: str) -> None:
    """Memory and time are limited for the worker process, so the server is not affected."""
    with pytest.raises(svg.SvgError, match=r"SVG|megapixels"):
        svg.rasterize(HOSTILE[name], None, 50_000_000)


def test_every_use_of_a_broken_svg_is_an_error() -> None:
    upload(HOSTILE["huge"].replace(b"100000", b"10001"), "svg/huge", resource_type="raw")
    upload(LOGO.replace(b"</svg>", b"</gvs>"), "svg/broken")
    upload(picture(), "svg/plain")
    refused(get(url("svg/broken.png")), 400, "not a readable SVG")
    refused(get(url("svg/plain.png", overlay="svg:broken")), 400, "not a readable SVG")
    with pytest.raises(BadRequest, match="not a readable SVG"):
        upload(LOGO.replace(b"</svg>", b"</gvs>"), "svg/never", format="png")


def psd() -> bytes:
    """Return a PSD with empty sections. Its first bytes are recognised, but the format is not supported."""
    return b"8BPS\0\1" + b"\0" * 6 + b"\0\3\0\0\0\x0a\0\0\0\x0a\0\x08\0\3" + b"\0" * 12 + b"\0\0" + b"\0" * 300


def test_error_messages_show_no_object_addresses() -> None:
    """Exceptions of libraries contain the `repr` of objects, with their addresses in memory."""
    upload(psd(), "svg/layers")
    upload(picture(), "svg/plain")
    texts = [get(url("svg/layers.png")).headers["X-Cld-Error"]]
    texts.append(get(url("svg/plain.png", overlay="svg:layers")).headers["X-Cld-Error"])
    texts.append(upload(psd(), "svg/layers", eager=[{"width": 5}])["eager"][0]["reason"])
    for options in ({"format": "png"}, {"transformation": {"width": 5}}):
        with pytest.raises(BadRequest) as caught:
            upload(psd(), "svg/never", **options)
        texts.append(str(caught.value))
    assert not [text for text in texts if re.search(r" at 0x|object", text)], texts
    assert all("its format is not read here" in text for text in texts), texts
    assert "0x" not in bad_request(f"cannot read {object()!r} and {cloudinary.uploader.upload!r}").message
