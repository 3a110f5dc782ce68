"""The package: imports, public names, the README's code, and the wheel."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import ticketkit
from ticketkit import read_codes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
IMPORT_ALL = """
import json, sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages
import ticketkit
names = [module.name for module in walk_packages(ticketkit.__path__, "ticketkit.")]
for name in names:
    import_module(name)
imported = sorted({name.partition(".")[0] for name in sys.modules})
forbidden = ["django", "celery", "cloudinary", "cloudlet", "apps", "config"]
print(json.dumps([len(names), imported, [name for name in forbidden if find_spec(name)]]))
"""


def run(program: str, *path: Path) -> Any:
    """Run a program with these folders first on its path, and return its output as JSON."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-W", "error", "-c", program]
    return json.loads(subprocess.run(command, env=environment, timeout=60, check=True, capture_output=True).stdout)


@pytest.mark.integration
def test_no_module_imports_django_or_other_parts_of_the_repository() -> None:
    """The negative control: all of them could be imported."""
    modules, imported, forbidden = run(IMPORT_ALL, ROOT.parent / "backend", ROOT.parent / "cloudlet/src")
    assert modules > 50
    assert forbidden == ["django", "celery", "cloudinary", "cloudlet", "apps", "config"]
    assert not set(forbidden) & set(imported)


def test_public_names_exist_and_are_known_to_type_checkers() -> None:
    assert ticketkit.__all__ == sorted(ticketkit.__all__) == dir(ticketkit)
    for name in ticketkit.__all__:
        assert getattr(ticketkit, name) is not None
    typed = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(Path(str(ticketkit.__file__)).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ticketkit.")
        for alias in node.names
        if alias.asname == alias.name
    }
    assert typed == {(module, name) for name, module in ticketkit._MODULES.items()}
    with pytest.raises(AttributeError, match="has no attribute 'draw'"):
        _ = ticketkit.draw


@pytest.mark.integration
def test_signing_codes_loads_no_fonts() -> None:
    program = "import json, sys; from ticketkit import KeyRing; print(json.dumps(sorted(sys.modules)))"
    assert not {"uharfbuzz", "PIL", "fontTools", "ticketkit.rendering"} & set(run(program))


def test_the_readme_lists_all_public_names() -> None:
    assert set(ticketkit.__all__) - set(re.findall(r"`(\w+)(?:\(\w+\))?`", README)) == set()


def test_the_ticket_of_the_readme_takes_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS[0].splitlines()) == 10
    exec(BLOCKS[0], names := {})  # type: ignore[var-annotated] # noqa: S102 our own code
    for file in ("ticket.png", "ticket.pdf"):
        assert read_codes((tmp_path / file).read_bytes()) == [names["details"].code]


def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec("".join(BLOCKS), {})  # noqa: S102 our own code
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "preview.png", "ticket.pdf", "ticket.pkpass", "ticket.png",
    ]  # fmt: skip


@pytest.mark.integration
def test_the_wheel_contains_all_files_and_renders_a_ticket(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, timeout=60, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    source, installed = ROOT / "src/ticketkit", tmp_path / "installed/ticketkit"
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()} == files
    assert {path.suffix for path in files} == {".py", ".json", ".icc", ".typed"}
    assert [path.name for path in (tmp_path / "installed").rglob("LICENSE")] == ["LICENSE"]
    program = f"import os; os.chdir({str(tmp_path)!r})\n{BLOCKS[0]}\nimport json, ticketkit\n"
    found = run(f"{program}print(json.dumps([ticketkit.__file__, details.code]))", tmp_path / "installed")
    assert found[0] == str(installed / "__init__.py")
    assert read_codes((tmp_path / "ticket.pdf").read_bytes()) == [found[1]]
