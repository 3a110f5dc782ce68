"""Replay the corpus of the fuzzers, and variations of it. `make soak` fuzzes at length."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import examples
from targets import TARGETS, bounded_target, read_corpus

NAMES = [pytest.param(name, marks=pytest.mark.integration) if name == "picture" else name for name in TARGETS]


@pytest.mark.parametrize("name", NAMES)
def test_inputs_of_the_corpus_are_handled(name: str, tmp_path: Path) -> None:
    with bounded_target(name, tmp_path) as target:
        for data in read_corpus(name):
            target(data)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(0.3), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_variations_of_the_corpus_are_handled(name: str, tmp_path: Path, data: st.DataObject) -> None:
    inputs = read_corpus(name)
    first, second = data.draw(st.sampled_from(inputs)), data.draw(st.sampled_from(inputs))
    start, end = data.draw(st.integers(0, len(first))), data.draw(st.integers(0, len(second)))
    with bounded_target(name, tmp_path) as target:
        target(first[:start] + data.draw(st.binary(max_size=4)) + second[end:])
