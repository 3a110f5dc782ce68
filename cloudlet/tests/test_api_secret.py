"""The API secret: each data folder has its own, only its owner can read it, and no web page can use it."""

import io
import socket
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cloudinary
import cloudinary.uploader
import pytest
import requests
from pictures import picture
from servers import threaded_cloudlet
from starlette.applications import Starlette

from cloudlet import cli
from cloudlet.config import Settings
from cloudlet.server import api_secret
from cloudlet.testing import RunningCloudlet, running_cloudlet

TIMEOUT_SECONDS = 20
EVIL = "http://evil.example"


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.integration
def test_each_data_folder_has_its_own_secret_which_survives_a_restart(tmp_path: Path) -> None:
    with threaded_cloudlet(data=tmp_path / "one") as one, threaded_cloudlet(data=tmp_path / "two") as two:
        first, second = one.api_secret, two.api_secret
    assert first != second
    assert len(first) >= 32
    with threaded_cloudlet(data=tmp_path / "one") as again:
        assert again.api_secret == first
        made = cloudinary.uploader.upload(io.BytesIO(picture()), **again.sdk_config)
        assert made["format"] == "png"


@pytest.mark.integration
def test_only_the_owner_can_read_the_data_folder_and_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_cloudlet(data=folder) as server:
        cloudinary.uploader.upload(io.BytesIO(picture()), **server.sdk_config)
    assert (permissions(folder), permissions(folder / "api-secret")) == (0o700, 0o600)
    open_to_others = [path for path in folder.rglob("*") if permissions(path) & 0o077]
    assert open_to_others == []


@pytest.mark.integration
def test_data_folder_of_an_older_version_gets_a_secret_and_is_closed_to_others(tmp_path: Path) -> None:
    with threaded_cloudlet("--secret", "of-an-older-version", data=tmp_path) as server:
        made = cloudinary.uploader.upload(io.BytesIO(picture()), **server.sdk_config)
    (tmp_path / "api-secret").unlink(missing_ok=True)
    tmp_path.chmod(0o755)
    with threaded_cloudlet(data=tmp_path) as server:
        assert server.api_secret != "of-an-older-version"
        path = made["url"].partition("://")[2].partition("/")[2]
        assert requests.get(f"{server.url}/{path}", timeout=TIMEOUT_SECONDS).content == picture()
    assert permissions(tmp_path) == 0o700


@pytest.mark.integration
def test_folder_with_foreign_files_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").touch()
    tmp_path.chmod(0o755)
    with running_cloudlet(data=tmp_path):
        assert (permissions(tmp_path), permissions(tmp_path / "blobs")) == (0o755, 0o700)


def _secret_of(folder: str) -> str:
    return api_secret.load_or_create(Path(folder))


@pytest.mark.integration
def test_processes_that_start_at_the_same_time_get_the_same_secret(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        for number in range(10):
            folder = tmp_path / str(number)
            folder.mkdir()
            assert len(set(pool.map(_secret_of, [str(folder)] * 8))) == 1


@pytest.mark.integration
@pytest.mark.parametrize("by", ["option", "environment"])
def test_given_secret_takes_precedence_and_is_not_printed(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, secrets = api_secret.load_or_create(tmp_path), []

    def run(app: Starlette, settings: Settings, _listener: socket.socket) -> None:
        secrets.append(settings.api_secret)
        app.state.services.store.close()

    monkeypatch.setenv("CLOUDLET_SECRET", "given-to-it" if by == "environment" else "")
    monkeypatch.setattr(cli, "run", run)
    options = ["--secret", "given-to-it"] if by == "option" else []
    assert cli.main(["--port", "0", "--data", str(tmp_path), *options]) == 0
    printed = capsys.readouterr().out
    assert ":***@" in printed
    assert not [secret for secret in ("given-to-it", kept) if secret in printed]
    assert secrets == ["given-to-it"]


def test_help_does_not_print_the_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CLOUDLET_SECRET", "from-outside")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert "$CLOUDLET_SECRET" in printed
    assert "from-outside" not in printed


def test_error_for_an_unreadable_secret_names_the_file_and_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api-secret").mkdir()
    monkeypatch.setenv("CLOUDLET_SECRET", "")
    assert cli.main(["--port", "0", "--data", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "api-secret" in line
    assert "CLOUDLET_SECRET" in line


# Requests that pages of other origins can make a browser send


CROSS_ORIGIN_HEADERS = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},  # another port of this machine
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
]
OWN_PATHS = ["console/overview", "console/calls", "console/assets", "console/static/console.js", "faults", "nothing"]


@pytest.mark.parametrize("headers", CROSS_ORIGIN_HEADERS)
@pytest.mark.parametrize("path", OWN_PATHS)
def test_console_and_fault_control_reject_requests_of_other_origins(
    path: str, headers: dict[str, str], server: RunningCloudlet
) -> None:
    auth = (server.api_key, server.api_secret)
    for method in ("GET", "POST", "DELETE"):
        address = f"{server.url}/_cloudlet/{path}"
        answer = requests.request(method, address, headers=headers, auth=auth, timeout=TIMEOUT_SECONDS)
        assert answer.status_code in (400, 403)
        assert server.api_secret not in answer.text
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_console_accepts_its_own_origin_under_every_local_name(server: RunningCloudlet) -> None:
    port = server.authority.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1", "[::1]", "cloudlet.localhost"):
        headers = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}", "Sec-Fetch-Site": "same-origin"}
        answer = requests.get(f"{server.url}/_cloudlet/console/overview", headers=headers, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_link_on_another_page_opens_the_console(server: RunningCloudlet) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert requests.get(f"{server.url}/", headers=link, timeout=TIMEOUT_SECONDS).status_code == 200
    image = {**link, "Sec-Fetch-Mode": "no-cors"}
    assert requests.get(f"{server.url}/", headers=image, timeout=TIMEOUT_SECONDS).status_code == 403


@pytest.mark.integration
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}])
def test_api_rejects_credentials_that_a_browser_adds_to_requests_of_other_origins(headers: dict[str, str]) -> None:
    with threaded_cloudlet("--host", "0.0.0.0") as server:  # noqa: S104 - beyond loopback the console asks for a password, which browsers remember
        base = f"http://127.0.0.1:{server.authority.rpartition(':')[2]}"
        auth = (server.api_key, server.api_secret)
        destroy = f"{base}/v1_1/{server.cloud_name}/image/destroy"
        forged = requests.post(destroy, data={"public_id": "x"}, headers=headers, auth=auth, timeout=TIMEOUT_SECONDS)
        assert forged.status_code == 401
        listing = f"{base}/v1_1/{server.cloud_name}/resources/image"
        assert requests.get(listing, headers=headers, auth=auth, timeout=TIMEOUT_SECONDS).status_code == 401
        own = requests.post(destroy, data={"public_id": "x"}, auth=auth, timeout=TIMEOUT_SECONDS)
        assert own.json() == {"result": "not found"}
