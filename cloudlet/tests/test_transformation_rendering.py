"""Rendering of transformations: sizes, pixels and formats."""

import io

import pypdfium2
import pytest
from pictures import BLUE, RED, decoded, encoded, halves, pdf, picture
from PIL import Image

from cloudlet.transformations import (
    ImageLayer,
    Limits,
    MissingLayerError,
    Rendered,
    TransformationError,
    UnreadableSourceError,
    parse,
    render,
)


def rendered(content: bytes, text: str, format_name: str = "png") -> Image.Image:
    return decoded(render(content, parse(text), format_name).content)


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.convert("RGBA").getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize(("gravity", "color"), [("west", RED), ("east", BLUE)])
def test_fill_keeps_the_side_of_the_gravity(gravity: str, color: tuple[int, int, int]) -> None:
    image = rendered(halves(), f"c_fill,w_50,h_50,g_{gravity}")
    assert image.size == (50, 50)
    assert all(pixel(image, x, 25)[:3] == pytest.approx(color, abs=1) for x in (2, 25, 47))


def busy_at(x: int, y: int) -> bytes:
    """Return a plain picture of 400 x 300 with a chequered patch at that position."""
    image = Image.new("RGB", (400, 300), "lightgray")
    for column in range(6):
        for row in range(6):
            image.paste(
                "black" if (column + row) % 2 else "white",
                (x + column * 10, y + row * 10, x + column * 10 + 10, y + row * 10 + 10),
            )
    return encoded(image)


@pytest.mark.parametrize(("x", "y"), [(20, 20), (320, 20), (20, 220), (320, 220), (170, 120)])
@pytest.mark.parametrize("text", ["c_crop,g_auto,w_100,h_100", "c_crop,g_auto:subject,w_0.25,ar_1:1"])
def test_g_auto_keeps_the_busiest_part(x: int, y: int, text: str) -> None:
    colors = rendered(busy_at(x, y), text).convert("L").histogram()
    assert colors[0] > 1500
    assert colors[255] > 1500


def test_g_auto_accepts_a_plain_picture() -> None:
    plain = encoded(Image.new("RGB", (300, 100), "gray"))
    assert rendered(plain, "c_fill,g_auto,w_50,h_50").size == (50, 50)


def test_pad_colours_the_margin() -> None:
    image = rendered(halves(), "c_pad,w_100,h_100,b_rgb:00ff00")
    assert pixel(image, 50, 5) == (0, 255, 0, 255)
    assert pixel(image, 10, 50)[:3] == RED


def test_pad_of_an_opaque_picture_is_white_by_default() -> None:
    assert pixel(rendered(halves(), "c_pad,w_100,h_100"), 50, 5) == (255, 255, 255, 255)


def test_b_auto_takes_the_colour_of_the_border() -> None:
    plain = encoded(Image.new("RGB", (20, 10), (10, 200, 30)))
    assert pixel(rendered(plain, "c_pad,w_20,h_20,b_auto"), 0, 0) == (10, 200, 30, 255)


def test_turning_by_a_quarter_is_clockwise() -> None:
    image = rendered(halves(), "a_90")
    assert image.size == (100, 200)
    assert (pixel(image, 50, 10)[:3], pixel(image, 50, 190)[:3]) == (RED, BLUE)


def test_turning_by_any_angle_grows_the_canvas_and_leaves_the_corners_clear() -> None:
    image = rendered(halves(), "a_45")
    assert image.size == (212, 212)  # (200 + 100) / sqrt(2) = 212.1
    assert pixel(image, 0, 0)[3] == 0


def test_flips_mirror_the_picture() -> None:
    assert pixel(rendered(halves(), "a_hflip"), 10, 10)[:3] == BLUE
    assert pixel(rendered(halves(), "a_vflip"), 10, 10)[:3] == RED


def test_round_corners_are_clear_and_white_in_a_jpeg() -> None:
    assert pixel(rendered(halves(), "r_max"), 0, 0)[3] == 0
    assert pixel(rendered(halves(), "r_20"), 0, 0)[3] == 0
    assert pixel(rendered(halves(), "r_20:0:0:0"), 199, 0) == (*BLUE, 255)
    assert min(pixel(rendered(halves(), "r_20", "jpg"), 0, 0)) > 240


def test_border_is_drawn_around() -> None:
    image = rendered(halves(), "bo_5px_solid_black")
    assert image.size == (210, 110)
    assert pixel(image, 2, 50) == (0, 0, 0, 255)


def test_opacity_sets_the_alpha_channel() -> None:
    assert pixel(rendered(halves(), "o_50"), 10, 10)[3] == pytest.approx(127, abs=1)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ("e_grayscale", (76, 76, 76)),
        ("e_negate", (0, 255, 255)),
        ("e_blackwhite", (0, 0, 0)),
        ("e_hue:0", (255, 0, 0)),
        ("e_saturation:-100", (76, 76, 76)),
        ("e_colorize:100,co_rgb:0a0b0c", (10, 11, 12)),
        ("e_red:-100", (0, 0, 0)),
        ("e_sepia:100", (100, 88, 69)),
    ],
)
def test_effects_on_red(effect: str, expected: tuple[int, int, int]) -> None:
    red = encoded(Image.new("RGB", (10, 10), RED))
    assert pixel(rendered(red, effect), 5, 5)[:3] == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("effect", ["blur:800", "brightness:40", "contrast:50", "gamma:60", "sharpen", "vignette:90"])
def test_effects_change_the_picture_and_keep_its_size(effect: str) -> None:
    image = rendered(picture(), f"e_{effect}")
    assert image.size == (400, 300)
    assert image.convert("RGB").tobytes() != decoded(picture()).tobytes()


def test_effects_keep_transparency() -> None:
    clear = encoded(Image.new("RGBA", (10, 10), (255, 0, 0, 40)))
    assert pixel(rendered(clear, "e_negate"), 5, 5) == (0, 255, 255, 40)


def test_trim_cuts_the_plain_border_away() -> None:
    framed = Image.new("RGB", (60, 40), "white")
    framed.paste(RED, (10, 10, 30, 20))
    assert rendered(encoded(framed), "e_trim").size == (20, 10)


def test_shadow_enlarges_the_canvas() -> None:
    image = rendered(halves(), "e_shadow,x_10,y_10")
    assert image.width > 200
    assert image.height > 100


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("png", b"\x89PNG"),
        ("jpg", b"\xff\xd8"),
        ("webp", b"RIFF"),
        ("avif", b"\x00\x00\x00"),
        ("gif", b"GIF8"),
        ("pdf", b"%PDF"),
        ("bmp", b"BM"),
        ("tiff", b"II"),
        ("ico", b"\x00\x00\x01\x00"),
    ],
)
def test_format_is_encoded(name: str, signature: bytes) -> None:
    made = render(picture(), parse("w_64"), name)
    assert made.content.startswith(signature)
    assert (made.format, made.width, made.height) == (name, 64, 48)


def test_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(TransformationError, match="exe"):
        render(picture(), parse("w_64"), "exe")


def test_lower_quality_means_fewer_bytes() -> None:
    sizes = [
        len(render(picture(), parse(text), "jpg").content) for text in ("q_10", "q_auto:low", "q_auto:best", "q_100")
    ]
    assert sizes == sorted(sizes)


def test_jpeg_is_progressive_on_request() -> None:
    assert rendered(picture(), "fl_progressive", "jpg").info.get("progressive")
    assert not rendered(picture(), "q_80", "jpg").info.get("progressive")


def test_png8_has_a_palette() -> None:
    assert rendered(picture(), "fl_png8").mode == "P"


def test_q_auto_leaves_the_pixels_of_a_png_alone() -> None:
    one_bit = encoded(decoded(picture()).convert("1"))
    made = rendered(one_bit, "q_auto")
    assert made.mode == "1"
    assert made.tobytes() == decoded(one_bit).tobytes()


def test_photographs_are_turned_upright() -> None:
    image = decoded(halves())
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    assert rendered(buffer.getvalue(), "w_50").size == (50, 100)
    assert rendered(buffer.getvalue(), "a_ignore,w_50").size == (50, 25)


@pytest.mark.parametrize(("angle", "top"), [("auto_right", RED), ("auto_left", BLUE)])
def test_automatic_angle_is_applied_before_the_crop(angle: str, top: tuple[int, int, int]) -> None:
    image = rendered(halves(), f"a_{angle},c_fill,w_50,h_100")
    assert image.size == (50, 100)
    assert pixel(image, 25, 5)[:3] == top
    assert rendered(halves(), f"a_{angle},c_fill,w_100,h_50").size == (100, 50)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_can_be_transformed(mode: str) -> None:
    image = decoded(picture()).convert("L" if mode == "I;16" else mode)
    content = encoded(image.convert("I;16") if mode == "I;16" else image)
    assert rendered(content, "c_pad,w_50,h_50/e_sepia/r_5").size == (50, 50)


def test_cmyk_jpegs_can_be_transformed() -> None:
    assert rendered(encoded(decoded(picture()).convert("CMYK"), "JPEG"), "w_40").size == (40, 30)


def animation() -> bytes:
    frames = [Image.new("RGB", (20, 10), color) for color in (RED, BLUE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=[70, 90], loop=0)
    return buffer.getvalue()


@pytest.mark.parametrize(("text", "name"), [("w_10", "gif"), ("w_10,fl_awebp", "webp")])
def test_animations_stay_animations(text: str, name: str) -> None:
    image = rendered(animation(), text, name)
    assert (image.size, getattr(image, "n_frames", 1)) == ((10, 5), 2)


def test_page_selects_a_frame_of_an_animation() -> None:
    assert pixel(rendered(animation(), "pg_2"), 5, 5)[:3] == BLUE
    with pytest.raises(TransformationError, match="pg_3"):
        render(animation(), parse("pg_3"), "png")


@pytest.mark.integration
def test_page_selects_a_page_of_a_pdf() -> None:
    first, second = (rendered(pdf(RED, BLUE), f"pg_{page}", "jpg") for page in (1, 2))
    assert pixel(first, 50, 30)[:3] == pytest.approx(RED, abs=8)
    assert pixel(second, 50, 30)[:3] == pytest.approx(BLUE, abs=8)
    assert first.size == (209, 105)


@pytest.mark.integration
def test_density_sets_the_size_of_a_page() -> None:
    assert rendered(pdf(RED, BLUE), "pg_1,dn_72", "png").size == (100, 50)


@pytest.mark.integration
def test_missing_page_is_an_error() -> None:
    with pytest.raises(TransformationError, match=r"pg_3: the document has 2 page"):
        render(pdf(RED, BLUE), parse("pg_3"), "jpg")


@pytest.mark.integration
def test_page_as_a_pdf_is_extracted_and_not_rasterised() -> None:
    made = render(pdf(RED, BLUE), parse("pg_2"), "pdf")
    with pypdfium2.PdfDocument(made.content) as pages:
        assert len(pages) == 1


def test_text_is_drawn_at_its_gravity() -> None:
    white = encoded(Image.new("RGB", (300, 100), "white"))
    image = rendered(white, "l_text:Sans_30:Hello,co_rgb:ff0000,g_south_east").convert("RGB")
    assert image.size == (300, 100)
    assert image.crop((0, 0, 150, 100)).getextrema() == ((255, 255),) * 3
    assert image.crop((200, 50, 300, 100)).getchannel("G").histogram()[0] > 50


def test_bold_text_is_darker() -> None:
    white = encoded(Image.new("RGB", (300, 100), "white"))
    plain, bold = (rendered(white, f"l_text:Nowhere_40{style}:Hello") for style in ("", "_bold"))
    assert sum(bold.convert("L").histogram()[:64]) > 1.2 * sum(plain.convert("L").histogram()[:64])


def test_text_wraps_at_a_width() -> None:
    white = encoded(Image.new("RGB", (300, 300), "white"))
    wide = rendered(white, "l_text:Sans_20:several words in a row/fl_layer_apply").convert("L")
    narrow = rendered(white, "l_text:Sans_20:several words in a row,w_80,c_fit/fl_layer_apply").convert("L")

    def height(image: Image.Image) -> int:
        box = image.point(lambda value: 255 if value < 128 else 0).getbbox()
        assert box is not None
        return box[3] - box[1]

    assert height(narrow) > 2 * height(wide)


def with_logo(text: str) -> Rendered:
    logo = encoded(Image.new("RGB", (10, 10), (0, 255, 0)))
    return render(halves(), parse(text), "png", load_layer=lambda layer: logo)


def test_images_are_overlaid() -> None:
    image = decoded(with_logo("l_logo/c_scale,w_20/fl_layer_apply,g_north_west,x_5,y_5").content)
    assert image.size == (200, 100)
    assert pixel(image, 10, 10) == (0, 255, 0, 255)
    assert pixel(image, 2, 2)[:3] == RED
    assert pixel(image, 26, 26)[:3] == RED


def test_relative_overlay_is_sized_by_the_base() -> None:
    image = decoded(with_logo("l_logo/c_scale,w_0.5,fl_relative/fl_layer_apply,g_west").content)
    assert pixel(image, 98, 50) == (0, 255, 0, 255)


def test_underlays_lie_below() -> None:
    image = decoded(with_logo("o_0/u_logo,w_200,h_100").content)
    assert pixel(image, 100, 50) == (0, 255, 0, 255)


def test_error_names_the_missing_layer() -> None:
    def missing(layer: ImageLayer) -> bytes:
        raise MissingLayerError(layer.public_id, layer.delivery_type)

    with pytest.raises(MissingLayerError, match="referenced image clubs/logo of type private"):
        render(halves(), parse("l_private:clubs:logo"), "png", load_layer=missing)


def test_picture_beyond_the_limit_is_not_decoded() -> None:
    bomb = encoded(Image.new("1", (20_000, 6_000)))
    assert len(bomb) < 30_000
    with pytest.raises(UnreadableSourceError, match="20000x6000"):
        render(bomb, parse("w_10"), "png")


@pytest.mark.parametrize(
    "text", ["w_30000,h_30000", "c_pad,w_30000,h_30000", "w_29999/w_29999", "bo_1000px_solid_red/w_20000"]
)
def test_huge_result_is_refused_before_it_is_made(text: str) -> None:
    with pytest.raises(TransformationError, match="megapixels"):
        render(picture(), parse(text), "png")


def test_sum_of_the_work_is_limited() -> None:
    with pytest.raises(TransformationError, match="too much work"):
        render(picture(), parse("w_1000/h_1000/" * 20 + "e_blur"), "png", limits=Limits(work_pixels=10_000_000))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        encoded(Image.new("L", (1, 1)), "GIF")[:-1] + b",\0\0\1\0\0\0\0\0",
        picture()[:500],
        pytest.param(b"%PDF-1.4\nnothing", marks=pytest.mark.integration),
        pytest.param(b"<svg>", marks=pytest.mark.integration),
    ],
)
def test_unreadable_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableSourceError):
        render(content, parse("w_10"), "png")
