"""The backend uses ticketkit by its public names only, and the lock files follow what each pyproject.toml needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ticketkit
from apps.core import packages
from tests.workers import BACKEND

ROOT = BACKEND.parent
# Tests that may import internal modules, because they patch or measure them.
INTERNAL_IMPORTS = {
    "events/test_picture_input.py": {"ticketkit.rendering.pictures", "ticketkit.wallet.artwork"},
    "pages/test_interstitial_in_a_browser.py": {"ticketkit.wallet"},
    "wallets/test_settings.py": {"ticketkit.wallet"},
}
SELF_CHECK = BACKEND / "test_ticket_service.py"
# Also matches programs in strings, which tests run in another process.
IMPORT = re.compile(r"\b(?:from|import) (ticketkit(?:\.\w+)*)(?: import (\([^)]*\)|[^\n;#]*))?")


def sources(*folders: str) -> list[Path]:
    """Return all Python files below these folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> list[tuple[str, list[str]]]:
    """Return the modules of ticketkit that a file imports, each with the imported names."""
    found = IMPORT.findall(path.read_text())
    return [
        (module, re.findall(r"\w+", re.sub(r"#[^\n]*| as \w+", "", names)) if names else []) for module, names in found
    ]


def test_backend_and_benchmarks_import_public_names_only() -> None:
    users = {path: imports(path) for path in [*sources("backend/apps", "backend/config", "benchmarks"), SELF_CHECK]}
    below = {path.name for path, found in users.items() for module, _ in found if module != "ticketkit"}
    unknown = {name for found in users.values() for _, names in found for name in names} - set(ticketkit.__all__)
    assert (below, unknown) == (set(), set())
    assert sum(bool(found) for found in users.values()) > 20


def test_only_listed_tests_import_internal_modules() -> None:
    public = {"ticketkit", "ticketkit.testing"}
    inside = {
        str(path.relative_to(BACKEND / "tests")): {module for module, _ in imports(path)} - public
        for path in sources("backend/tests")
        if path != Path(__file__)
    }
    assert {name: modules for name, modules in inside.items() if modules} == INTERNAL_IMPORTS


def test_cloudlet_does_not_import_ticketkit() -> None:
    assert [path.name for path in sources("cloudlet/src", "cloudlet/tests") if imports(path)] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from ticketkit import render_qr_png  # why", [("ticketkit", ["render_qr_png"])]),
        ("from ticketkit import (\n    Code,  # why\n    KeyRing as Keys,\n)", [("ticketkit", ["Code", "KeyRing"])]),
        ("    import ticketkit.rendering.qr as qr", [("ticketkit.rendering.qr", [])]),
        ('"from ticketkit.codes.tokens import Code; Code()"', [("ticketkit.codes.tokens", ["Code"])]),
        ("ticketkit.Code()", []),
    ],
)
def test_every_form_of_import_is_found(line: str, found: list[tuple[str, list[str]]], tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(line)
    assert imports(tmp_path / "module.py") == found


def locked(name: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    found = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("project", ["backend", "cloudlet", "ticketkit", "."])
def test_the_locked_versions_are_within_the_bounds_of_each_pyproject(project: str) -> None:
    metadata = tomllib.loads((ROOT / project / "pyproject.toml").read_text())
    needed = [Requirement(text) for text in metadata.get("project", {}).get("dependencies", [])]
    used_in_tests = [Requirement(text) for text in metadata["dependency-groups"]["dev"]]
    for lock, requirements in (("requirements.lock", needed + used_in_tests), ("requirements-image.lock", needed)):
        versions = locked(lock)
        for requirement in requirements:
            version = versions.get(canonicalize_name(requirement.name), "none")
            assert version != "none", f"{requirement} is not in {lock}: run `make lock`"
            assert version in requirement.specifier, f"{lock} has {requirement.name} {version}: run `make lock`"


def test_the_image_has_the_versions_that_are_tested_and_no_tools() -> None:
    image = locked("requirements-image.lock")
    assert image.items() <= locked("requirements.lock").items()
    assert not {"pytest", "mypy", "playwright", "uv"} & set(image)


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-image.lock", "cloudlet/tests/node/package-lock.json"]
)
def test_lock_files_hold_hashes_and_no_addresses_to_download_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r'"resolved"|\w+://(?!\S*fund)', text) == []
    assert len(re.findall(r"--hash=sha256:|sha512-", text)) >= len(locked(lock)) > 0 or lock.endswith(".json")


def test_requirements_name_what_is_asked_for_at_the_start() -> None:
    named = {canonicalize_name(Requirement(line).name) for line in requirement_lines()}
    assert {name.lower() for name in (packages.REQUIRED | packages.OPTIONAL).values()} - {"ticketkit"} <= named


def requirement_lines() -> list[str]:
    return [line for line in (BACKEND / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
