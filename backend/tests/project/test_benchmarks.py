"""Test that the page about benchmarks is generated from the stored figures and covers every program."""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.workers import BACKEND

FOLDER = BACKEND.parent / "benchmarks"


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module(name)


def test_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    report = module("report", monkeypatch)
    pictures: dict[str, str] = {}
    assert report.page(pictures.__setitem__) == (report.ROOT / report.PAGE).read_text(), (
        "run `make bench BENCH=--report`"
    )
    kept = {path.stem: path.read_text() for path in (report.ROOT / report.PICTURES).glob("*.svg")}
    assert kept == pictures


def test_every_program_is_run_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    run, report = module("run", monkeypatch), module("report", monkeypatch)
    programs = {path.name for path in FOLDER.glob("*.py") if re.search(r"--json|argument_parser\(", path.read_text())}
    assert {command[0] for command in run.PROGRAMS.values()} == programs - {"run.py", "harness.py"}
    assert run.PROGRAMS.keys() == run.QUICK.keys() == report.SECTIONS.keys()


def test_bars_are_as_long_as_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    charts = module("charts", monkeypatch)
    rows = [charts.Bar("ours & theirs", 10.0, "ten"), charts.Bar("peer", 5.0, "five", False)]
    picture = ElementTree.fromstring(charts.bars("A <title>", rows, mark=(20.0, "twice")))  # noqa: S314 # our own
    _, ours, peer = (float(bar.get("width", 0)) for bar in picture.iter("{http://www.w3.org/2000/svg}rect"))
    assert ours == pytest.approx(2 * peer, abs=0.2)
    line = next(picture.iter("{http://www.w3.org/2000/svg}line"))
    assert float(line.get("x1", 0)) - charts.LABELS == pytest.approx(2 * ours, abs=0.2)
