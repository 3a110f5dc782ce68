"""Sizes and boxes of every resize mode."""

import pytest

from cloudlet.transformations.geometry import plan_resize
from cloudlet.transformations.model import Step
from cloudlet.transformations.parsing import parse


def step(text: str) -> Step:
    (node,) = parse(text).nodes
    assert isinstance(node, Step)
    return node


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("w_200", (200, 150)),
        ("h_150", (200, 150)),
        ("w_200,h_200", (200, 200)),
        ("w_0.5", (200, 150)),
        ("c_scale,w_100,h_0.1", (100, 30)),
        ("c_scale,ar_1:2,w_100", (100, 200)),
        ("c_scale,w_100,fl_ignore_aspect_ratio", (100, 300)),
        ("c_fit,w_200,h_200", (200, 150)),
        ("c_fit,w_800,h_800", (800, 600)),
        ("c_limit,w_200,h_200", (200, 150)),
        ("c_limit,w_800,h_800", (400, 300)),
        ("c_mfit,w_800,h_800", (800, 600)),
        ("c_mfit,w_200,h_200", (400, 300)),
        ("c_fill,w_200,h_200", (200, 200)),
        ("c_fill,w_800,h_200", (800, 200)),
        ("c_fill,w_200", (200, 150)),
        ("c_fill,ar_1:1,h_100", (100, 100)),
        ("c_fill,ar_1:1", (300, 300)),
        ("c_lfill,w_200,h_200", (200, 200)),
        ("c_lfill,w_500,h_500", (400, 300)),
        ("c_lfill,w_100,h_500", (100, 300)),
        ("c_pad,w_200,h_200", (200, 200)),
        ("c_pad,ar_1:1", (400, 400)),
        ("c_lpad,w_600,h_600", (600, 600)),
        ("c_mpad,w_600,h_100", (600, 300)),
        ("c_fill_pad,g_auto,w_100,h_400", (100, 400)),
        ("c_crop,w_100,h_50", (100, 50)),
        ("c_crop,w_1000,h_50", (400, 50)),
        ("c_crop,ar_16:9", (400, 225)),
        ("c_thumb,g_face,w_50,h_50", (50, 50)),
        ("c_auto,g_auto,w_50,h_60", (50, 60)),
        ("c_auto_pad,g_auto,w_50,h_60", (50, 60)),
        ("w_100,dpr_2.0", (200, 150)),
        ("dpr_0.5", (200, 150)),
        ("c_fill,w_30,h_30,dpr_1.5", (45, 45)),
        ("w_1", (1, 1)),
    ],
)
def test_size_of_a_400_by_300_picture(text: str, size: tuple[int, int]) -> None:
    assert plan_resize((400, 300), step(text)).size == size


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("c_crop,w_100,h_100", (150, 100, 250, 200)),
        ("c_crop,w_100,h_100,g_north_west", (0, 0, 100, 100)),
        ("c_crop,w_100,h_100,g_south_east", (300, 200, 400, 300)),
        ("c_crop,w_100,h_100,g_east", (300, 100, 400, 200)),
        ("c_crop,w_100,h_100,x_10,y_20", (10, 20, 110, 120)),
        ("c_crop,w_100,h_100,x_0.5,y_0", (200, 0, 300, 100)),
        ("c_crop,w_100,h_100,g_south_east,x_10,y_20", (290, 180, 390, 280)),
        ("c_crop,w_100,h_100,g_center,x_-10,y_5", (140, 105, 240, 205)),
        ("c_crop,w_100,h_100,g_xy_center,x_100,y_80", (50, 30, 150, 130)),
        ("c_crop,w_100,h_100,x_390,y_290", (300, 200, 400, 300)),
        ("c_crop,w_100,h_100,g_face", (150, 100, 250, 200)),
    ],
)
def test_crop_keeps_the_box(text: str, box: tuple[int, int, int, int]) -> None:
    assert plan_resize((400, 300), step(text)).box == box


def test_thumb_zooms_in() -> None:
    near = plan_resize((400, 300), step("c_thumb,g_center,w_100,h_100,z_2"))
    assert near.scaled == (267, 200)
    assert near.size == (100, 100)


def test_padding_is_opposite_to_gravity() -> None:
    assert plan_resize((400, 300), step("c_pad,w_400,h_400,g_north")).offset == (0, 0)
    assert plan_resize((400, 300), step("c_pad,w_400,h_400,g_south")).offset == (0, 100)
    assert plan_resize((400, 300), step("c_pad,w_400,h_400")).offset == (0, 50)
