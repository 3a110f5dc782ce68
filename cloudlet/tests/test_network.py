"""Which hosts this server connects to: the allow-list, and names that answer differently when asked again."""

import http.client
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudlet.errors import ApiError
from cloudlet.network import http_client, remote_files
from cloudlet.network.http_client import HostRefusedError, open_connection
from cloudlet.server.tls import ensure_certificate
from cloudlet.staging import StagingWriter

pytestmark = pytest.mark.integration

# Loopback addresses stand for the two sides: what these tests declare public, and what must stay out of reach.
PUBLIC, INTERNAL = "127.0.0.2", "127.0.0.1"
NAME = "pictures.example"


class Side(http.server.BaseHTTPRequestHandler):
    """Answers with the address it was reached at; `/to/HOST` redirects there."""

    hosts: list[str] = []

    def do_GET(self) -> None:
        type(self).hosts.append(self.headers["Host"])
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.path.removeprefix('/to/')}/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.connection.getsockname()[0].encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Both sides listen on this port."""
    monkeypatch.setattr(http_client, "is_public", lambda address: address == PUBLIC)
    Side.hosts = []
    with http.server.ThreadingHTTPServer(("", 0), Side) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


Answers = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Replaces the resolver: `names(first, second, ...)` answers so in turn, the last one for ever; returns the log."""

    def install(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def resolve(host: str, *arguments: Any, **options: Any) -> Any:
            if not host.endswith(".example"):
                return real(host, *arguments, **options)
            addresses = answers[min(len(asked), len(answers) - 1)]
            asked.append(host)
            return [entry for address in addresses for entry in real(address, *arguments, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return install


def fetched(url: str, folder: Path, *allowed: str) -> bytes:
    blob, _ = remote_files._fetch(url, allowed or ("*",), 1000, lambda: StagingWriter(folder))
    return blob.read()


def test_a_name_that_answers_differently_the_second_time_gains_nothing(
    port: int, names: Answers, tmp_path: Path
) -> None:
    asked = names([PUBLIC], [INTERNAL])
    assert fetched(f"http://{NAME}:{port}/x", tmp_path) == PUBLIC.encode()
    assert asked == [NAME]
    assert Side.hosts == [f"{NAME}:{port}"]


def test_checking_and_then_connecting_by_name_would_reach_the_inside(port: int, names: Answers) -> None:
    """The negative control: the same resolver, asked once for the check and again for the connection."""
    names([PUBLIC], [INTERNAL])
    assert all(http_client.is_public(str(entry[4][0])) for entry in socket.getaddrinfo(NAME, port))
    connection = http.client.HTTPConnection(NAME, port, timeout=10)
    connection.request("GET", "/x")
    assert connection.getresponse().read() == INTERNAL.encode()
    connection.close()


@pytest.mark.parametrize("addresses", [[INTERNAL], [PUBLIC, INTERNAL], [INTERNAL, PUBLIC]])
def test_every_address_of_a_name_must_be_public(
    port: int, names: Answers, tmp_path: Path, addresses: list[str]
) -> None:
    names(addresses)
    with pytest.raises(remote_files.RefusedSourceError, match="not public; start cloudlet with --remote-host"):
        fetched(f"http://{NAME}:{port}/x", tmp_path)
    assert Side.hosts == []


def test_a_redirect_is_checked_like_the_first_address(port: int, names: Answers, tmp_path: Path) -> None:
    names([PUBLIC], [INTERNAL])
    with pytest.raises(remote_files.RefusedSourceError, match=r"host inside\.example is not allowed"):
        fetched(f"http://{NAME}:{port}/to/inside.example:{port}", tmp_path)
    assert Side.hosts == [f"{NAME}:{port}"]
    names([PUBLIC])
    assert fetched(f"http://{NAME}:{port}/to/other.example:{port}", tmp_path) == PUBLIC.encode()


def test_a_listed_host_may_lie_anywhere(port: int, names: Answers, tmp_path: Path) -> None:
    names([INTERNAL])
    for allowed in (NAME, f"{NAME}:{port}"):
        assert fetched(f"http://{NAME}:{port}/x", tmp_path, allowed) == INTERNAL.encode()
    with pytest.raises(HostRefusedError):
        open_connection(urlsplit(f"http://{NAME}:{port}/"), [f"{NAME}:1", "other.example"], 10)


def test_the_next_address_is_tried(names: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "is_public", lambda address: True)
    with http.server.ThreadingHTTPServer((PUBLIC, 0), Side) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names([INTERNAL, PUBLIC])
        assert fetched(f"http://{NAME}:{server.server_port}/x", tmp_path) == PUBLIC.encode()
        server.shutdown()
        server.server_close()
        with pytest.raises(ApiError, match="Error in loading .* refused"):
            fetched(f"http://{NAME}:{server.server_port}/x", tmp_path)


def test_a_name_without_an_address_is_a_clear_error(tmp_path: Path) -> None:
    for host in ("nothing.invalid", "a" * 64 + ".example", "x..example"):
        with pytest.raises(ApiError, match="Error in loading"):
            fetched(f"http://{host}/x", tmp_path)


def test_https_names_the_host_to_the_checked_address(
    names: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "is_public", lambda address: address == PUBLIC)
    certificate, key = ensure_certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked_for: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    Side.hosts = []
    with http.server.ThreadingHTTPServer((PUBLIC, 0), Side) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names([PUBLIC], [INTERNAL])
        assert fetched(f"https://{NAME}:{server.server_port}/x", tmp_path) == PUBLIC.encode()
        assert (asked_for, Side.hosts) == ([NAME], [f"{NAME}:{server.server_port}"])
        names([PUBLIC])
        with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
            fetched(f"https://other.example:{server.server_port}/x", tmp_path, "other.example")
        server.shutdown()
