"""Parsing of transformations into typed steps, with errors that name the component."""

import pytest

from cloudlet.transformations import TransformationError, looks_like_transformation, parse
from cloudlet.transformations.breakpoints import Breakpoints
from cloudlet.transformations.model import (
    Background,
    Border,
    Effect,
    ImageLayer,
    LayerStep,
    Length,
    Quality,
    Step,
    TextLayer,
)


def only_step(text: str) -> Step:
    (node,) = parse(text).nodes
    assert isinstance(node, Step)
    return node


def only_layer(text: str) -> LayerStep:
    (node,) = parse(text).nodes
    assert isinstance(node, LayerStep)
    return node


def test_ticket_transformation_is_parsed() -> None:
    step = only_step("w_200,h_200,c_fill")
    assert (step.width, step.height, step.crop) == (Length(200), Length(200), "fill")


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("w_0.5", "width", Length(0.5, relative=True)),
        ("h_1.0", "height", Length(1.0, relative=True)),
        ("w_auto", "width", None),
        ("w_auto:100", "width", None),
        ("w_auto:100:400", "width", Length(400)),
        ("w_auto:breakpoints_50_1000_20_20", "width", None),
        ("w_auto:breakpoints:json", "breakpoints", Breakpoints()),
        ("w_auto:breakpoints_100_900_10_5:json", "breakpoints", Breakpoints(100, 900, 10_240, 5)),
        ("ar_16:9,w_160", "aspect_ratio", 16 / 9),
        ("ar_1.5,w_160", "aspect_ratio", 1.5),
        ("x_-10,c_crop", "x", Length(-10)),
        ("dpr_2.0,w_1", "dpr", 2.0),
        ("dpr_auto,w_1", "dpr", 1.0),
        ("a_90", "angles", ("90",)),
        ("a_hflip.20", "angles", ("hflip", "20")),
        ("e_sepia:50", "effect", Effect("sepia", ("50",))),
        ("r_max", "radius", "max"),
        ("r_10", "radius", (10, 10, 10, 10)),
        ("r_10:20", "radius", (10, 20, 10, 20)),
        ("r_1:2:3:4", "radius", (1, 2, 3, 4)),
        ("bo_4px_solid_red", "border", Border(4, (255, 0, 0, 255))),
        ("bo_2px_solid_rgb:00ff0080", "border", Border(2, (0, 255, 0, 128))),
        ("b_rgb:112233", "background", Background("color", (17, 34, 51, 255))),
        ("b_rgb:123", "background", Background("color", (17, 34, 51, 255))),
        ("b_auto:border", "background", Background("auto")),
        ("b_blurred:400:15", "background", Background("blurred", intensity=400, brightness=15)),
        ("b_transparent", "background", Background("color", (0, 0, 0, 0))),
        ("o_30", "opacity", 30),
        ("q_80", "quality", Quality(level=80)),
        ("q_80:444", "quality", Quality(level=80, full_chroma=True)),
        ("q_auto", "quality", Quality(auto="good")),
        ("q_auto:low", "quality", Quality(auto="low")),
        ("f_jpeg", "format", "jpg"),
        ("f_auto", "format", "auto"),
        ("pg_3", "page", 3),
        ("dn_72", "density", 72),
        ("fl_attachment", "flags", frozenset({"attachment"})),
        ("fl_progressive.lossy", "flags", frozenset({"progressive", "lossy"})),
        ("fl_attachment:my.file", "attachment", "my.file"),
        ("d_avatars:none.png", "default_image", "avatars/none.png"),
    ],
)
def test_value_is_parsed(text: str, field: str, value: object) -> None:
    assert getattr(only_step(text), field) == value


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("zz_3", "zz_3"),
        ("w_200,zz_3", "zz_3"),
        ("w_abc", "w_abc"),
        ("w_0", "w_0"),
        ("w_-5", "w_-5"),
        ("w_1e3", "w_1e3"),
        ("w_²", "w_²"),
        ("w_100,w_200", "w_200"),
        ("w_auto:x", "w_auto:x"),
        ("w_auto:1:2:3", "w_auto:1:2:3"),
        ("w_auto:breakpoints_5:json", "w_auto:breakpoints_5:json"),
        ("w_auto:breakpoints_900_100_1_5:json", "w_auto:breakpoints_900_100_1_5:json"),
        ("w_auto:breakpoints_1_100_0_5:json", "w_auto:breakpoints_1_100_0_5:json"),
        ("h_auto:breakpoints:json", "h_auto:breakpoints:json"),
        ("c_bogus", "c_bogus"),
        ("e_bogus", "e_bogus"),
        ("e_blur:9999", "e_blur:9999"),
        ("e_grayscale:3", "e_grayscale:3"),
        ("g_nowhere,c_crop", "g_nowhere"),
        ("c_scale,g_auto,w_10", "c_scale,g_auto,w_10"),
        ("c_pad", "c_pad"),
        ("$size", "$size"),
        ("$size_", "$size_"),
        ("$size_1_add", "$size_1_add"),
        ("$size_1__2", "$size_1__2"),
        ("if_w_bigger_300/w_1/if_end", "if_w_bigger_300"),
        ("if_du_gt_3,w_10", "if_du_gt_3"),
        ("if_end", "if_end"),
        ("if_else,w_10", "if_else"),
        ("if_w_gt_1/if_else/if_else/if_end", "if_w_gt_1"),
        ("if_end,w_1", "if_end,w_1"),
        ("w_1,if_w_gt_1", "if_w_gt_1"),
        ("w_1,$x_1", "$x_1"),
        ("if_w_gt_1,t_x", "if_w_gt_1,t_x"),
        ("if_w_gt_1,f_jpg", "if_w_gt_1,f_jpg"),
        ("if_w_gt_1/fl_attachment/if_end", "fl_attachment"),
        ("w_$x,w_$y", "w_$y"),
        ("f_$x", "f_$x"),
        ("l_$logo", "l_$logo"),
        ("w_ih_mul", "w_ih_mul"),
        ("so_3", "so_3"),
        ("t_absent", "t_absent"),
        ("fl_bogus", "fl_bogus"),
        ("fl_layer_apply", "fl_layer_apply"),
        ("q_200", "q_200"),
        ("b_notacolour", "b_notacolour"),
        ("bo_1", "bo_1"),
        ("f_exe", "f_exe"),
        ("l_text:Hello", "l_text:Hello"),
        ("l_fetch:aHR0", "l_fetch:aHR0"),
        ("w_1,,h_1", ","),
        ("w_100//h_100", "w_100//h_100"),
        ("pg_0", "pg_0"),
    ],
)
def test_error_names_the_component(text: str, named: str) -> None:
    with pytest.raises(TransformationError) as caught:
        parse(text)
    assert caught.value.component == named
    assert str(caught.value).startswith(f"Invalid transformation component - {named}: ")


def test_g_auto_without_cropping_has_the_error_message_of_cloudinary() -> None:
    with pytest.raises(TransformationError, match="Use auto gravity only with crop, fill, lfill, fill_pad or thumb"):
        parse("c_fit,g_auto,w_10")


def test_named_transformations_expand_in_place() -> None:
    names = {"small": "w_50,c_scale", "small_gray": "t_small/e_grayscale"}
    expanded = parse("a_90/t_small_gray", names.get)
    assert [step.text for step in expanded.nodes if isinstance(step, Step)] == ["a_90", "w_50,c_scale", "e_grayscale"]


def test_recursive_named_transformations_are_refused() -> None:
    with pytest.raises(TransformationError, match="too deeply"):
        parse("t_a", {"a": "t_b", "b": "t_a"}.get)


def test_a_layer_in_one_component_is_sized_and_placed_by_it() -> None:
    layer = only_layer("l_logos:club.png,w_40,g_south_east,x_5,y_6")
    assert layer.source == ImageLayer("logos/club.png")
    assert layer.placement.gravity == "south_east"
    (own,) = layer.steps
    assert isinstance(own, Step)
    assert (own.width, own.gravity) == (Length(40), None)


def test_a_layer_is_closed_by_layer_apply() -> None:
    layer = only_layer("l_authenticated:logo/e_grayscale/c_scale,w_10/fl_layer_apply,g_north,y_3")
    assert layer.source == ImageLayer("logo", "authenticated")
    assert len(layer.steps) == 3
    assert (layer.placement.gravity, layer.placement.y) == ("north", Length(3))


def test_layers_nest() -> None:
    outer = only_layer("l_a/l_b/e_negate/fl_layer_apply/fl_layer_apply")
    assert outer.source == ImageLayer("a")
    assert any(isinstance(step, LayerStep) and step.source == ImageLayer("b") for step in outer.steps)


def test_text_is_unescaped_twice() -> None:
    layer = only_layer("l_text:Noto Sans_40_bold_italic:Caf%C3%A9%2C 20%25%2F2,co_red")
    assert isinstance(layer.source, TextLayer)
    assert layer.source.text == "Café, 20%/2"
    style = layer.source.style
    assert (style.family, style.size, style.weight, style.italic) == ("Noto Sans", 40, "bold", True)


@pytest.mark.parametrize("text", ["w_10/" * 65 + "w_10", "w_" + "1" * 9000])
def test_length_and_number_of_components_are_limited(text: str) -> None:
    with pytest.raises(TransformationError, match="at most"):
        parse(text)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("w_200", True),
        ("w_200,h_200", True),
        ("$x_3", True),
        ("if_w_gt_3", True),
        ("l_text:Arial_20:x", True),
        ("tickets", False),
        ("qr_codes", False),
        ("w_", False),
        ("w_200,tickets", False),
        ("v123", False),
        ("", False),
    ],
)
def test_url_segment_is_recognised_as_a_transformation(segment: str, expected: bool) -> None:
    assert looks_like_transformation(segment) is expected
