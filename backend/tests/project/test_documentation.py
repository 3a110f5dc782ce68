"""Test that the documentation is complete and its links work."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_exist(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", prose)
    missing = [
        link for link in links if not re.match(r"[a-z]+:", link) and not (page.parent / link.split("#")[0]).exists()
    ]
    assert missing == []


def test_every_setting_is_documented() -> None:
    config = ROOT / "backend" / "config"
    code = (config / "settings.py").read_text() + (config / "cloudinary_settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code)) | set(re.findall(r'"(CLOUDINARY_[A-Z_]+)"', code))
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/reference/settings.md").read_text()))
    assert read - documented == set()


def test_every_row_of_the_security_page_names_existing_tests() -> None:
    rows = re.findall(r"^\| .* \| (`.*`) \|$", (ROOT / "docs/explanation/security.md").read_text(), re.MULTILINE)
    named = [re.findall(r"`([\w/]+\.py)::(\w+)`", tests) for tests in rows]
    assert len(named) > 20
    assert [tests for tests in rows if "::" not in tests] == []
    for file, test in itertools.chain.from_iterable(named):
        path = ROOT / file if file.startswith(("cloudlet/", "ticketkit/")) else ROOT / "backend/tests" / file
        assert f"\ndef {test}(" in path.read_text(), f"{file} has no {test}"


GUIDES = {
    str(page.relative_to(ROOT / "docs"))
    for page in PAGES
    if page.is_relative_to(ROOT / "docs") and page.parent.name not in ("docs", "adr")
}


def test_readme_index_and_site_link_to_every_guide() -> None:
    linked = re.findall(r"\(docs/([\w/-]+\.md)\)", (ROOT / "README.md").read_text())
    indexed = re.findall(r"\(([\w/-]+\.md)\)", (ROOT / "docs/index.md").read_text())
    shown = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text())
    assert GUIDES - set(linked) == GUIDES - set(indexed) == GUIDES - set(shown) == set()
    assert [page for page in shown if not (ROOT / "docs" / page).exists()] == []


@pytest.mark.integration
def test_site_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    assert (tmp_path / "index.html").exists()
