"""Test that docs/reference/ticket-system.md is correct: its examples, its troubleshooting, its debug mode."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import test_ticket_service
from django.conf import settings as django_settings
from django.utils.log import configure_logging
from environs import Env
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from apps.events.ticket_service import ticket_service
from apps.storage import gateway
from cloudlet.testing import RunningCloudlet
from config.cloudinary_settings import read_cloudinary
from tests.pictures import codes_in_pdf, codes_in_png

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
BACKEND = ROOT / "backend"
DOCUMENT = (ROOT / "docs/reference/ticket-system.md").read_text()


def section(title: str) -> str:
    """Return the text below a heading of any level, up to the next heading of that level or above."""
    heading = re.search(rf"^(#+) [^\n]*{re.escape(title)}[^\n]*\n", DOCUMENT, re.MULTILINE)
    assert heading, f"the document has no section “{title}”"
    rest = DOCUMENT[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", re.sub(r"```.*?```", _blank, rest, flags=re.DOTALL), re.MULTILINE)
    return rest[: end.start()] if end else rest


def _blank(block: re.Match[str]) -> str:
    return re.sub(r"[^\n]", ".", block[0])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


# -- Usage Examples ----------------------------------------------------------------------------------------------


def test_every_usage_example_runs(cloudlet: RunningCloudlet, capsys: pytest.CaptureFixture[str]) -> None:
    snippets = blocks(section("Usage Examples"), "python")
    assert len(snippets) == 3
    names: dict[str, Any] = {}
    results = []
    for snippet in snippets:
        exec(compile(snippet, "ticket-system.md", "exec"), names)  # noqa: S102 # the documentation is our own
        results.append(dict(names))

    first, second, third = results
    assert f"QR code uploaded: {first['result']['url']}\n" == capsys.readouterr().out
    assert first["result"]["public_id"] == "tickets/qr_codes/1/ticket_ticket-123"
    assert second["result"]["public_id"] == "tickets/pdf/1/ticket_ticket-123"
    assert first["result"]["url"].endswith("/tickets/qr_codes/1/ticket_ticket-123.png")
    assert second["result"]["url"].endswith("/tickets/pdf/1/ticket_ticket-123.pdf")

    png, pdf = first["qr_buffer"].read(), second["pdf_buffer"].read()
    assert codes_in_png(png) == codes_in_pdf(pdf) == ["ticket-123"], "a buffer can't be read after its upload"
    for kind, result, content in ((gateway.QR_CODE, first["result"], png), (gateway.PDF_TICKET, second["result"], pdf)):
        assert gateway.fetch(kind, result["public_id"], result["version"]) == content
    assert "/w_200,h_200,c_fill/" in third["qr_url"]
    assert "w_200" not in third["pdf_url"]


def test_custom_transformation_is_delivered(cloudlet: RunningCloudlet) -> None:
    buffer = ticket_service.generate_qr_code("ticket-123", "Event Name")
    public_id = ticket_service.upload_qr_code_to_cloudinary(buffer, "ticket-123", 1)["public_id"]
    url = ticket_service.get_ticket_url(public_id, "w_200,h_200,c_fill")
    answer = gateway._downloads.request("GET", url)
    assert answer.status == 200
    assert Image.open(io.BytesIO(answer.data)).size == (200, 200)


# -- Installation ------------------------------------------------------------------------------------------------


def test_requirements_have_the_documented_lower_bounds() -> None:
    lines = (BACKEND / "requirements.txt").read_text().splitlines()
    ours = {r.name.lower(): r for r in (Requirement(line) for line in lines if line and not line.startswith("#"))}
    wanted = [Requirement(text) for text in re.findall(r"^- `([^`]+>=[^`]+)` - ", DOCUMENT, re.MULTILINE)]
    assert {r.name for r in wanted} == {"qrcode", "reportlab", "cloudinary", "django-cloudinary-storage"}
    for requirement in wanted:
        if requirement.name == "django-cloudinary-storage":  # replaced, see docs/adr/0002
            assert requirement.name not in ours
            continue
        assert set(requirement.specifier) <= set(ours[requirement.name].specifier)
        assert Version(version(requirement.name)) in requirement.specifier


# -- Troubleshooting ---------------------------------------------------------------------------------------------


def documented_message(title: str) -> str:
    (block,) = re.findall(r"```\n(.*?)\n```", section(title), re.DOTALL)
    return block


def test_wrong_cloud_name_gives_the_documented_message(cloudlet: RunningCloudlet, settings: Any) -> None:
    account = settings.CLOUDINARY_ACCOUNT
    settings.CLOUDINARY_ACCOUNT = type(account)(
        "another-cloud", account.api_key, account.api_secret, False, account.upload_prefix, account.cname
    )
    buffer = ticket_service.generate_qr_code("ticket-123", "Event Name")
    with pytest.raises(gateway.MediaError) as caught:
        ticket_service.upload_qr_code_to_cloudinary(buffer, "ticket-123", 1)
    message = documented_message("Cloudinary Configuration Error")
    assert message == "❌ Error uploading QR code to Cloudinary: Invalid cloud_name"
    assert str(caught.value).startswith(message)
    assert ".env has the right CLOUDINARY_* credentials" in str(caught.value)


WITHOUT = """
import runpy, sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {packages!r} else find_spec(name, *rest)
sys.path.insert(0, {folder!r})
for sys.argv in {commands!r}:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_without(packages: Sequence[str], *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run programs of backend/ where the packages cannot be imported, up to the first that fails."""
    script = WITHOUT.format(packages=packages, commands=commands, folder=str(BACKEND))
    return subprocess.run(
        [sys.executable, "-c", script], cwd=BACKEND, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", [["manage.py", "check"], ["test_ticket_service.py"]])
@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("cloudinary", "⚠️ cloudinary not installed. Install with: pip install cloudinary"),
        ("django", "⚠️ Django not installed. Install with: pip install django"),
        ("ticketkit", "⚠️ ticketkit not installed. Install with: pip install --editable ../ticketkit"),
    ],
)
def test_missing_package_gives_a_message_as_documented(command: list[str], package: str, message: str) -> None:
    done = run_without([package], command)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).strip() == message


def test_optional_packages_are_reported_but_not_needed(cloudlet: RunningCloudlet) -> None:
    done = run_without(["qrcode", "reportlab"], ["manage.py", "check"], ["test_ticket_service.py"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "🎉 Everything works." in done.stdout
    message = documented_message("ReportLab Import Error")
    for said in (done.stderr, done.stdout):  # of the check, and of the script
        assert message in said
        assert message.replace("ReportLab", "qrcode").replace("reportlab", "qrcode") in said


# -- Debug Mode --------------------------------------------------------------------------------------------------


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    yield
    logging.getLogger("apps.events").handlers.clear()
    logging.getLogger("apps.events").setLevel(logging.NOTSET)
    configure_logging(django_settings.LOGGING_CONFIG, django_settings.LOGGING)


@pytest.mark.usefixtures("_logging_restored")
def test_documented_debug_mode_logs_each_step(cloudlet: RunningCloudlet, capsys: pytest.CaptureFixture[str]) -> None:
    (printed,) = blocks(section("Debug Mode"), "python")
    names: dict[str, Any] = {}
    exec(compile(printed, "ticket-system.md", "exec"), names)  # noqa: S102 # the documentation is our own
    configure_logging(django_settings.LOGGING_CONFIG, names["LOGGING"])

    buffer = ticket_service.generate_qr_code("ticket-123", "Event Name")
    public_id = ticket_service.upload_qr_code_to_cloudinary(buffer, "ticket-123", 1)["public_id"]
    ticket_service.delete_ticket_from_cloudinary(public_id)

    lines = capsys.readouterr().err
    assert f"Uploaded {public_id}, version" in lines
    assert f"Deleted {public_id}: ok" in lines
    assert django_settings.CLOUDINARY_ACCOUNT.api_secret not in lines


# -- The smoke script --------------------------------------------------------------------------------------------


def run_script(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "test_ticket_service.py"]
    return subprocess.run(
        command, cwd=BACKEND, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_script_reports_wrong_credentials(cloudlet: RunningCloudlet) -> None:
    account = {"CLOUDINARY_CLOUD_NAME": "another-cloud", "CLOUDINARY_API_KEY": "1", "CLOUDINARY_API_SECRET": "s3cret"}
    done = run_script(**account, CLOUDINARY_UPLOAD_PREFIX=cloudlet.url)
    assert (done.returncode, done.stderr) == (1, "")
    assert documented_message("Cloudinary Configuration Error") in done.stdout
    assert "s3cret" not in done.stdout


def test_script_explains_that_no_cloudlet_answers(settings: Any, tmp_path: Path) -> None:
    settings.CLOUDINARY_ACCOUNT = read_cloudinary(Env(), cloudlet_port=1, cloudlet_data=tmp_path)
    said: list[str] = []
    assert test_ticket_service.check_everything(said.append) == 1
    assert "Nothing answers on http://localhost:1. Is cloudlet running?" in "\n".join(said)
    assert "If it runs with another CLOUDLET_PORT, set that here too." in "\n".join(said)


def test_importing_the_script_has_no_side_effects() -> None:
    code = textwrap.dedent("""
        import sys
        before = set(sys.modules)
        import test_ticket_service
        print(sorted(name for name in set(sys.modules) - before if name.split(".")[0] in ("apps", "config", "django")))
    """)
    done = subprocess.run([sys.executable, "-c", code], cwd=BACKEND, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
