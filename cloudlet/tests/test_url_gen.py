"""URLs of @cloudinary/url-gen: each works, or its error names the unsupported part, as the README says."""

import cloudinary
import pytest
from deliveries import get, upload, url
from pictures import BLUE, RED, decoded, encoded, halves, picture
from PIL import Image
from url_gen_catalogue import REFUSAL, Outcome, outcomes, prepare, readme_section, report

from cloudlet.testing import RunningCloudlet
from cloudlet.transformations import TransformationError, parse


@pytest.fixture(scope="module")
def found(shared_server: RunningCloudlet) -> list[Outcome]:
    cloudinary.config(**shared_server.sdk_config)
    prepare()
    return outcomes(shared_server)


def test_readme_lists_what_is_refused(found: list[Outcome]) -> None:
    assert readme_section() == report(found), "update the README: python tests/url_gen_catalogue.py"


def test_unsupported_transformation_is_refused_by_name(found: list[Outcome]) -> None:
    for outcome in found:
        if outcome.works:
            continue
        match = REFUSAL.match(outcome.reason)
        assert outcome.status == 400, outcome
        assert match, outcome
        assert (match["part"] or "") in f"{outcome.text} .{outcome.text.removeprefix('f_')}", outcome


@pytest.mark.parametrize(
    ("chain", "size"),
    [("e_trim::", (40, 20)), ("e_trim:50:", (40, 20)), ("e_trim:50:red", (100, 60)), ("e_trim:10:white", (40, 20))],
)
def test_trim_accepts_a_colour_and_empty_values(server: RunningCloudlet, chain: str, size: tuple[int, int]) -> None:
    image = Image.new("RGB", (100, 60), "white")
    image.paste(BLUE, (30, 20, 70, 40))
    upload(encoded(image), "urlgen/trim")
    assert decoded(get(url("urlgen/trim.png", raw_transformation=chain)).content).size == size


@pytest.mark.parametrize(
    ("chain", "size"),
    [("a_auto.45", (127, 127)), ("a_auto", (120, 60)), ("a_90:hflip", (60, 120)), ("a_90.vflip", (60, 120))],
)
def test_angles_may_be_combined_with_modes(server: RunningCloudlet, chain: str, size: tuple[int, int]) -> None:
    upload(picture(120, 60), "urlgen/angle")
    made = decoded(get(url("urlgen/angle.png", raw_transformation=chain)).content).size
    assert made == pytest.approx(size, abs=2)


def test_layers_are_blended(server: RunningCloudlet) -> None:
    upload(halves(40, 40), "urlgen/halves")
    upload(encoded(Image.new("RGB", (40, 40), "yellow")), "urlgen/yellow")
    for mode, left, right in (("multiply", RED, (0, 0, 0)), ("screen", (255, 255, 0), (255, 255, 255))):
        for chain in (f"l_urlgen:yellow/e_{mode},fl_layer_apply", f"l_urlgen:yellow,e_{mode}"):
            made = decoded(get(url("urlgen/halves.png", raw_transformation=chain)).content).convert("RGB")
            assert (made.getpixel((5, 20)), made.getpixel((35, 20))) == (left, right)


@pytest.mark.parametrize("chain", ["e_multiply", "l_logo/e_grayscale,fl_layer_apply", "l_audio:song/fl_layer_apply"])
def test_unsupported_layer_effect_is_refused(chain: str) -> None:
    with pytest.raises(TransformationError):
        parse(chain)
