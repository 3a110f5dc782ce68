"""``--tls``: one port serves everything over https, and files over http."""

import socket
import ssl

import pytest
import requests
import urllib3
from cloudinary import uploader
from pictures import png

from cloudlet.testing import RunningCloudlet

TIMEOUT_SECONDS = 20


@pytest.fixture(scope="module")
def server_options() -> list[str]:
    return ["--tls", "--remote-host", "127.0.0.1"]


@pytest.fixture
def certificate(server: RunningCloudlet) -> str:
    return str(server.data / "tls" / "cloudlet.pem")


@pytest.fixture(autouse=True)
def trust(certificate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the SDK's connection pool, which accepts no other certificate authorities than its own."""
    monkeypatch.setattr(uploader, "_http", urllib3.PoolManager(ca_certs=certificate))


def test_url_is_http_and_secure_url_is_https_and_both_deliver(certificate: str) -> None:
    made = uploader.upload(png(), public_id="tls/both", eager=[{"width": 5, "crop": "scale"}])
    for answer in (made, made["eager"][0]):
        assert answer["url"].startswith("http://")
        assert answer["secure_url"] == answer["url"].replace("http://", "https://")
        plain, secure = (
            requests.get(answer[n], timeout=TIMEOUT_SECONDS, verify=certificate) for n in ("url", "secure_url")
        )
        assert (plain.status_code, secure.status_code) == (200, 200)
        assert plain.content == secure.content


def test_server_can_fetch_from_its_own_http_urls() -> None:
    urls = [uploader.upload(png(width), public_id=f"tls/{width}")["url"] for width in (11, 12)]
    assert len(uploader.generate_sprite(urls=urls)["image_infos"]) == 2


def test_calls_over_http_are_refused(server: RunningCloudlet) -> None:
    plain = server.url.replace("https:", "http:")
    for path in ("/v1_1/test/ping", "/v1_1/test/resources/image", "/_cloudlet/faults", "/"):
        answer = requests.get(plain + path, auth=(server.api_key, server.api_secret), timeout=TIMEOUT_SECONDS)
        assert (answer.status_code, "https" in (answer.text or answer.headers["X-Cld-Error"])) == (403, True)


def test_silent_and_broken_connections_do_not_block_others(server: RunningCloudlet) -> None:
    address = ("127.0.0.1", int(server.authority.rpartition(":")[2]))
    with (
        socket.create_connection(address, TIMEOUT_SECONDS),
        socket.create_connection(address, TIMEOUT_SECONDS) as broken,
    ):
        broken.sendall(b"\x16 this is no handshake")
        with pytest.raises(ssl.SSLError):  # it does not trust the certificate, and ends the handshake
            ssl.create_default_context().wrap_socket(
                socket.create_connection(address, TIMEOUT_SECONDS), server_hostname="127.0.0.1"
            )
        assert uploader.upload(png(), public_id="tls/still")["width"] == 30
