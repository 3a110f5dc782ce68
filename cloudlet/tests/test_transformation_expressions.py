"""Variables, arithmetic and conditions: values, where they are allowed, and errors."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import decoded, picture

from cloudlet.transformations import AssetFacts, TransformationError, parse, render
from cloudlet.transformations.expressions import Name, Value, evaluate, parse_expression
from cloudlet.transformations.model import Condition, Node

PHOTO = picture(400, 300)
NAMES: dict[str, Value] = {"w": 400.0, "h": 300.0, "$x": 10.0, "$s": "red", "tags": ("sale", "in_stock"), "pc": 3.0}


def value_of(text: str) -> Value:
    return evaluate(parse_expression(text), lambda name: {"size": "12.5"}.get(name.name, NAMES.get(name.name, "")))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7.0),
        ("-2.5", -2.5),
        ("w_mul_2", 800.0),
        ("1_add_2_mul_3", 7.0),
        ("2_mul_3_add_1", 7.0),
        ("100_sub_10_sub_5", 85.0),
        ("100_div_10_div_5", 2.0),
        ("2_mul_3_pow_2", 18.0),
        ("w_mod_7", 1.0),
        ("$x_mul_w_div_h", 10 * 400 / 300),
        ("!a_b!", "a_b"),
        ("!a%2Cb!", "a,b"),
        ("3:4", 0.75),
        ("ctx:!size!_to_f", 12.5),
        ("md:!size!_to_i_add_1", 13.0),
    ],
)
def test_value_is_computed(text: str, value: Value) -> None:
    assert value_of(text) == pytest.approx(value) if isinstance(value, float) else value_of(text) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("w_gt_300", True),
        ("w_lt_300_or_h_eq_300", True),
        ("w_gt_300_and_h_gt_300", False),
        ("w_lt_1_and_w_lt_1_or_h_gte_300", True),
        ("h_gte_300_or_w_lt_1_and_w_lt_1", True),
        ("w_div_h_gt_3:4", True),
        ("w_ne_h", True),
        ("$s_eq_!red!", True),
        ("ctx:!absent!_eq_!!", True),
        ("!sale!_in_tags", True),
        ("!sale:in_stock!_in_tags", True),
        ("!sale:gone!_in_tags", False),
        ("!gone!_nin_tags", True),
        ("!sale:gone!_nin_tags", False),
        ("pc_lte_2", False),
    ],
)
def test_condition_is_evaluated(text: str, holds: bool) -> None:
    assert bool(value_of(text)) is holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "VALUE_OPERATOR_VALUE"),
        ("1_add", "ends where a value"),
        ("add_1", "'add' where a value is expected"),
        ("1_2", "'2' is out of place"),
        ("1__2", "VALUE_OPERATOR_VALUE"),
        ("!open", "VALUE_OPERATOR_VALUE"),
        ("!a!b", "VALUE_OPERATOR_VALUE"),
        ("du_gt_3", "'du' is no number"),
        ("$_add_1", "is no number"),
        ("1_div_0", "can't be computed"),
        ("1_mod_0", "can't be computed"),
        ("9_pow_999", "can't be computed"),
        ("-1_pow_0.5", "math domain error"),
        ("1000000_pow_3", "out of bounds"),
        ("1_div_3:0", "not a number"),
        ("!a!_add_1", "'a' is not a number"),
        ("!a!_gt_1", "'a' is not a number"),
        ("w_eq_!a!", "_to_f"),
        ("1_add_" * 40 + "1", "at most 64 parts"),
    ],
)
def test_invalid_expression_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        value_of(text)


@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                ["w", "$x", "$s", "tags", "1", "0.5", "-3", "3:4", "!a!", "!", "ctx:!k!", "to", "i", "f", "add", "sub",
                 "mul", "div", "mod", "pow", "eq", "lt", "in", "nin", "and", "or", ""]
            ),
            max_size=20,
        ).map("_".join),
    )
)  # fmt: skip
def test_any_text_has_a_value_or_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(value_of(text), float | str | tuple)


def size(chain: str, facts: AssetFacts | None = None) -> tuple[int, int]:
    return decoded(render(PHOTO, parse(chain), "png", facts=facts).content).size


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("$width_10/w_$width_add_10_add_w,c_scale,h_9", (420, 9)),
        ("$small_90,$tall_$small_mul_2/w_$small,h_$tall,c_fill", (90, 180)),
        ("w_iw_div_4,c_scale", (100, 75)),
        ("w_0.5,c_scale/w_iw_mul_0.2,h_ih,c_scale", (80, 300)),
        ("$share_0.5/w_$share,c_scale", (200, 150)),
        ("$half_1_div_2/w_iw_mul_$half,c_scale", (200, 150)),
        ("$x_50/$x_$x_add_10/w_$x,h_$x,c_scale", (60, 60)),
        ("$mode_!crop!/w_40,h_30,c_$mode,g_west", (40, 30)),
        ("$r_2:1,ar_$r,w_100,c_fill", (100, 50)),
        ("if_w_gt_300,c_scale,w_300", (300, 225)),
        ("if_w_gt_500,c_scale,w_300", (400, 300)),
        ("if_w_lt_200,c_fill,h_120,w_80/if_else,c_fill,h_90,w_100", (100, 90)),
        ("if_w_gt_200,c_fill,h_120,w_80/if_else,c_fill,h_90,w_100/h_10,c_scale", (7, 10)),
        ("if_w_gt_300/w_100,c_scale/if_w_lt_50/w_7/if_else/h_30,c_scale/if_end/if_end/w_20,c_scale", (20, 15)),
        ("if_w_lt_300/w_100,c_scale/w_50/if_else/h_30,c_scale/if_end", (40, 30)),
        ("if_w_gt_300,w_100,c_scale/h_10,w_10,c_scale/if_end", (10, 10)),
        ("if_w_lt_300,w_100,c_scale/h_10,w_10,c_scale/if_end", (400, 300)),
        ("if_w_gt_300/if_h_gt_200,w_100,c_scale/h_10,c_scale/if_end", (13, 10)),
        ("if_w_gt_200/c_fill,h_120,w_80/if_w_lt_100/c_fill,h_15,w_15/e_sepia/if_end", (15, 15)),
        ("if_ar_gt_1.0_and_iar_lt_3:2,$n_30,w_$n,h_$n,c_scale", (30, 30)),
        ("w_100,c_scale/if_w_eq_100_and_iw_eq_400,w_50,c_scale", (50, 38)),
        ("if_!small!_in_tags,w_50,c_scale/if_ctx:!width!_to_f_gt_20,w_ctx:!width!_to_i,c_scale", (30, 23)),
        ("if_fc_gt_1_and_pc_eq_1_and_md:!kind!_eq_!x!,w_44,c_scale", (44, 33)),
    ],
)
def test_chain_with_variables_and_conditions_has_the_size(chain: str, expected: tuple[int, int]) -> None:
    facts = AssetFacts(faces=2, tags=("small",), context={"width": "30"}, metadata={"kind": "x"})
    assert size(chain, facts) == expected


def test_examples_of_the_sdk_are_parsed() -> None:
    for chain in (
        "$aheight_300,$mywidth_100/h_3_mul_ih_add_$aheight,w_3_add_$mywidth_mul_3_add_4_div_2_mul_iw_mul_$mywidth",
        "if_fc_gt_2,$z_5,$foo_$z_mul_2,c_scale,w_$foo_mul_200",
        "$foo_10/if_fc_gt_2/c_scale,w_$foo_mul_200_div_fc/if_end",
        "$xpos_ctx:!x_pos!_to_f,$ypos_ctx:!y_pos!_to_f,c_crop,x_$xpos_mul_w,y_$ypos_mul_h",
        "$efname_!blur!,e_$efname:100",
        "$v_20,r_10:$v:30:40",
        "$style_!Arial_12!/l_text:$style:hello-world",
        "if_w_eq_0_and_h_ne_0_or_ar_lt_0_and_pc_gt_0_and_fc_lte_0_and_w_gte_0,e_grayscale",
    ):
        assert parse(chain).nodes


def test_effects_corners_and_colours_take_variables() -> None:
    for with_variables, plain in (
        ("$e_!sepia!,$n_50,e_$e:$n", "e_sepia:50"),
        ("e_pixelate:w_div_40", "e_pixelate:10"),
        ("$n_20,r_$n:0", "r_20:0"),
        ("$c_!rgb:ff0000!,w_500,h_500,c_pad,b_$c", "w_500,h_500,c_pad,b_rgb:ff0000"),
        ("$o_50,o_$o", "o_50"),
    ):
        assert render(PHOTO, parse(with_variables), "png") == render(PHOTO, parse(plain), "png")


def test_layers_take_variables() -> None:
    written = "l_text:Sans_20_bold:Seat%2012/fl_layer_apply,g_north_west,x_40,y_5"
    filled = "$size_!Sans_20_bold!,$seat_12/l_text:$size:Seat%20$(seat)/fl_layer_apply,g_north_west,x_w_div_10,y_5"
    assert render(PHOTO, parse(filled), "png") == render(PHOTO, parse(written), "png")
    logo = {"load_layer": lambda layer: picture(200, 200)}
    computed = render(PHOTO, parse("l_logo,w_w_div_10,x_iw_div_20,g_west"), "png", **logo)
    assert computed == render(PHOTO, parse("l_logo,w_40,x_20,g_west"), "png", **logo)


def test_quality_and_flags_come_from_the_branch_taken() -> None:
    small = render(PHOTO, parse("if_w_gt_300,q_10/if_else,q_90"), "jpg").content
    assert small == render(PHOTO, parse("q_10"), "jpg").content
    assert len(small) < len(render(PHOTO, parse("if_w_lt_300,q_10/if_else,q_90"), "jpg").content)
    assert decoded(render(PHOTO, parse("if_w_gt_300,fl_png8"), "png").content).mode == "P"
    assert decoded(render(PHOTO, parse("if_w_lt_300,fl_png8"), "png").content).mode == "RGB"


@pytest.mark.parametrize(
    ("chain", "named", "reason"),
    [
        ("w_$gone,c_scale", "w_$gone,c_scale", r"\$gone has no value"),
        ("$x_0/w_$x,c_scale", "w_$x", "greater than 0"),
        ("$x_1_div_0", "$x_1_div_0", "division by zero"),
        ("$x_!evil%2Fw_9999!/c_$x,w_10", "c_$x", "unknown"),
        ("if_w_gt_1,$x_5/w_$x_mul_99999,c_scale", "w_$x_mul_99999", "whole number"),
        ("c_$m,w_10", "c_$m,w_10", "has no value"),
        ("$m_!pad!/c_$m", "c_$m", "needs w_, h_ or ar_"),
    ],
)
def test_error_names_the_component(chain: str, named: str, reason: str) -> None:
    with pytest.raises(TransformationError, match=reason) as caught:
        render(PHOTO, parse(chain), "png")
    assert caught.value.component == named


def test_conditions_nested_too_deeply_are_refused() -> None:
    parse("if_w_gt_1/" * 8 + "w_5")
    with pytest.raises(TransformationError, match="8 deep"):
        parse("if_w_gt_1/" * 9 + "w_5")


def flat(nodes: tuple[Node, ...]) -> list[str]:
    """Return the texts of all nodes on all branches, in order."""
    texts = []
    for node in nodes:
        if isinstance(node, Condition):
            texts += [node.text, *flat(node.then), *flat(node.otherwise)]
        else:
            texts.append(node.text)  # type: ignore[union-attr]
    return texts


@given(
    st.lists(st.sampled_from(["if_w_gt_1", "if_h_lt_2,w_2", "if_else", "if_else,w_3", "if_end", "w_4"]), max_size=14)
)
def test_no_component_is_lost_or_moved(components: list[str]) -> None:
    """Whichever conditions they belong to, all components are there once, in order."""
    try:
        nodes = parse("/".join(components) or "w_1").nodes
    except TransformationError:
        return
    expected = []
    for component in components or ["w_1"]:
        head, comma, _ = component.partition(",")
        if head not in ("if_else", "if_end"):
            expected.append(head)
        expected += [component] if comma else []
    assert flat(nodes) == expected


def test_asks_the_asset_is_set_where_the_result_depends_on_it() -> None:
    for chain in ("if_!a!_in_tags,w_5", "$x_ctx:!a!", "w_5/if_w_gt_1/if_fc_gt_1,w_2/if_end", "l_a/w_md:!a!_to_i"):
        assert parse(chain).depends_on_asset
    for chain in ("w_5", "if_w_gt_1,w_2", "$x_!tags!", "l_text:Sans_20:tags"):
        assert not parse(chain).depends_on_asset


def test_lookup_has_a_name_and_a_kind() -> None:
    assert parse_expression("ctx:!a_b!") == Name("a_b", "ctx")
