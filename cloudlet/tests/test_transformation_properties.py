"""Property tests of transformations: any text gives a picture within the limits, or an error that names a component."""

import io
from collections.abc import Callable

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pictures import picture
from PIL import Image
from profiles import examples

from cloudlet.transformations import (
    Limits,
    TransformationError,
    UnreadableSourceError,
    looks_like_transformation,
    parse,
    render,
)
from cloudlet.transformations.effects import EFFECT_NAMES
from cloudlet.transformations.geometry import plan_resize
from cloudlet.transformations.model import Step
from cloudlet.transformations.parameters import READERS
from cloudlet.transformations.vocabulary import COMPASS, CROP_MODES, FLAGS, FORMATS

SMALL = picture(40, 30)
LIMITS = Limits(source_pixels=1_000_000, step_pixels=250_000, work_pixels=2_000_000)

sizes = st.one_of(st.integers(1, 400).map(str), st.sampled_from(["0.1", "0.5", "1.0", "2.0", "auto"]))
offsets = st.one_of(st.integers(-50, 50).map(str), st.sampled_from(["0.1", "-0.5"]))
colors = st.sampled_from(["red", "transparent", "rgb:12ab34", "rgb:fff", "rgb:00ff0080"])
percent = st.integers(0, 100).map(str)
parts = st.one_of(
    sizes.map(lambda value: f"w_{value}"),
    sizes.map(lambda value: f"h_{value}"),
    st.sampled_from(sorted(CROP_MODES)).map(lambda value: f"c_{value}"),
    st.sampled_from([*COMPASS, "auto", "face", "xy_center"]).map(lambda value: f"g_{value}"),
    offsets.map(lambda value: f"x_{value}"),
    offsets.map(lambda value: f"y_{value}"),
    st.sampled_from(["ar_16:9", "ar_1.5", "dpr_2.0", "dpr_auto", "z_1.5", "r_max", "r_5", "r_3:9", "bo_2px_solid_red"]),
    st.integers(-720, 720).map(lambda value: f"a_{value}"),
    st.sampled_from(["a_hflip", "a_vflip", "a_auto_right", "a_ignore"]),
    st.sampled_from(sorted(EFFECT_NAMES)).map(lambda value: f"e_{value}"),
    st.tuples(st.sampled_from(sorted(EFFECT_NAMES)), st.integers(-120, 220)).map(lambda pair: f"e_{pair[0]}:{pair[1]}"),
    colors.map(lambda value: f"b_{value}"),
    st.sampled_from(["b_auto", "b_blurred:300:20"]),
    colors.map(lambda value: f"co_{value}"),
    percent.map(lambda value: f"o_{value}"),
    percent.map(lambda value: f"q_{value}"),
    st.sampled_from(sorted(FLAGS - {"layer_apply"})).map(lambda value: f"fl_{value}"),
    st.sampled_from(["q_auto", "q_auto:low", "pg_1", "pg_2", "dn_100", "l_text:Sans_12:Hello", "fl_layer_apply"]),
)
components = st.lists(parts, min_size=1, max_size=5).map(",".join)
chains = st.lists(components, min_size=1, max_size=4).map("/".join)
fragments = st.sampled_from(
    [*(f"{key}_" for key in READERS), "l_text:", "u_", "t_", "$", "if_", ",", "/", ":", ".", "-", "0"]
)
garbage = st.lists(st.one_of(fragments, st.text(max_size=6), st.integers().map(str)), max_size=20).map("".join)


def component_at_fault(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except TransformationError as error:
        return error.component
    return None


@given(text=garbage)
@example(text="e_")
@example(text="w_٣")
@example(text="l_text:a_1:%")
@example(text="l_:")
@example(text="r_:::")
@example(text="b_blurred:")
@example(text="fl_attachment:" + "x" * 300)
def test_any_text_is_parsed_or_the_error_names_a_component(text: str) -> None:
    named = component_at_fault(lambda: parse(text))
    assert named is None or named.removesuffix("...") in text or named == ","
    for segment in text.split("/"):
        assert looks_like_transformation(segment) in (True, False)


@given(text=chains, name=st.sampled_from(sorted(FORMATS)))
@settings(max_examples=examples(0.5), suppress_health_check=[HealthCheck.too_slow])
def test_any_chain_renders_or_the_error_names_a_component(text: str, name: str) -> None:
    made = None

    def attempt() -> None:
        nonlocal made
        made = render(SMALL, parse(text), name, limits=LIMITS)

    named = component_at_fault(attempt)
    if made is None:
        assert named
        return
    assert made.format == name
    assert made.content
    if name != "pdf":
        with Image.open(io.BytesIO(made.content)) as image:
            assert image.size == (made.width, made.height)


@given(text=components, width=st.integers(1, 3000), height=st.integers(1, 3000))
def test_geometry_stays_inside_the_picture(text: str, width: int, height: int) -> None:
    try:
        nodes = parse(text).nodes
    except TransformationError:
        return
    for node in nodes:
        if not isinstance(node, Step) or not node.resizes:
            continue
        plan = plan_resize((width, height), node)
        assert min(plan.size) >= 1
        if plan.box:
            left, top, right, bottom = plan.box
            assert 0 <= left < right <= plan.scaled[0]
            assert 0 <= top < bottom <= plan.scaled[1]


@given(content=st.one_of(st.binary(max_size=400), st.binary(max_size=200).map(lambda junk: SMALL[:90] + junk)))
def test_any_bytes_render_or_are_unreadable(content: bytes) -> None:
    try:
        render(content, parse("w_10"), "png", limits=LIMITS)
    except (UnreadableSourceError, TransformationError):
        return
