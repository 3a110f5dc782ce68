"""Outgoing connections: the allow-list of hosts, and protection against DNS rebinding."""

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

# Two loopback addresses: these tests declare one of them public, and the other must not be reached.
PUBLIC, INTERNAL = "127.0.0.2", "127.0.0.1"
NAME = "pictures.example"


class Echo(http.server.BaseHTTPRequestHandler):
    """Respond with the address at which the server was reached; `/to/HOST` redirects to that host."""

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
        """Log nothing."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return the port on which both addresses are served."""
    monkeypatch.setattr(http_client, "is_public", lambda address: address == PUBLIC)
    Echo.hosts = []
    with http.server.ThreadingHTTPServer(("", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


Resolver = Callable[..., list[str]]


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Return a function that replaces the resolver for names below `.example`.

    It takes the addresses for each lookup in turn, of which the last are repeated, and returns the list to which the
    names that are looked up will be appended.
    """

    def install(*results: list[str]) -> list[str]:
        names: list[str] = []
        real = socket.getaddrinfo

        def resolve(host: str, *arguments: Any, **options: Any) -> Any:
            if not host.endswith(".example"):
                return real(host, *arguments, **options)
            addresses = results[min(len(names), len(results) - 1)]
            names.append(host)
            return [entry for address in addresses for entry in real(address, *arguments, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return names

    return install


def fetched(url: str, folder: Path, *allowed: str) -> bytes:
    blob, _ = remote_files._fetch(url, allowed or ("*",), 1000, lambda: StagingWriter(folder))
    return blob.read()


def test_dns_rebinding_does_not_reach_an_internal_address(port: int, resolve_to: Resolver, tmp_path: Path) -> None:
    names = resolve_to([PUBLIC], [INTERNAL])
    assert fetched(f"http://{NAME}:{port}/x", tmp_path) == PUBLIC.encode()
    assert names == [NAME]
    assert Echo.hosts == [f"{NAME}:{port}"]


def test_control_resolving_twice_reaches_an_internal_address(port: int, resolve_to: Resolver) -> None:
    """Negative control: resolving once for the check and again for the connection."""
    resolve_to([PUBLIC], [INTERNAL])
    assert all(http_client.is_public(str(entry[4][0])) for entry in socket.getaddrinfo(NAME, port))
    connection = http.client.HTTPConnection(NAME, port, timeout=10)
    connection.request("GET", "/x")
    assert connection.getresponse().read() == INTERNAL.encode()
    connection.close()


@pytest.mark.parametrize("addresses", [[INTERNAL], [PUBLIC, INTERNAL], [INTERNAL, PUBLIC]])
def test_every_address_of_a_host_must_be_public(
    port: int, resolve_to: Resolver, tmp_path: Path, addresses: list[str]
) -> None:
    resolve_to(addresses)
    with pytest.raises(remote_files.RefusedSourceError, match="not public; start cloudlet with --remote-host"):
        fetched(f"http://{NAME}:{port}/x", tmp_path)
    assert Echo.hosts == []


def test_redirect_is_checked_like_the_first_url(port: int, resolve_to: Resolver, tmp_path: Path) -> None:
    resolve_to([PUBLIC], [INTERNAL])
    with pytest.raises(remote_files.RefusedSourceError, match=r"host inside\.example is not allowed"):
        fetched(f"http://{NAME}:{port}/to/inside.example:{port}", tmp_path)
    assert Echo.hosts == [f"{NAME}:{port}"]
    resolve_to([PUBLIC])
    assert fetched(f"http://{NAME}:{port}/to/other.example:{port}", tmp_path) == PUBLIC.encode()


def test_allowed_host_may_have_any_address(port: int, resolve_to: Resolver, tmp_path: Path) -> None:
    resolve_to([INTERNAL])
    for allowed in (NAME, f"{NAME}:{port}"):
        assert fetched(f"http://{NAME}:{port}/x", tmp_path, allowed) == INTERNAL.encode()
    with pytest.raises(HostRefusedError):
        open_connection(urlsplit(f"http://{NAME}:{port}/"), [f"{NAME}:1", "other.example"], 10)


def test_next_address_is_tried_when_one_refuses(
    resolve_to: Resolver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "is_public", lambda address: True)
    with http.server.ThreadingHTTPServer((PUBLIC, 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resolve_to([INTERNAL, PUBLIC])
        assert fetched(f"http://{NAME}:{server.server_port}/x", tmp_path) == PUBLIC.encode()
        server.shutdown()
        server.server_close()
        with pytest.raises(ApiError, match=r"Error in loading .* refused"):
            fetched(f"http://{NAME}:{server.server_port}/x", tmp_path)


def test_host_without_an_address_is_an_error(tmp_path: Path) -> None:
    for host in ("nothing.invalid", "a" * 64 + ".example", "x..example"):
        with pytest.raises(ApiError, match="Error in loading"):
            fetched(f"http://{host}/x", tmp_path)


def test_https_connects_to_the_checked_address_and_verifies_the_host_name(
    resolve_to: Resolver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "is_public", lambda address: address == PUBLIC)
    certificate, key = ensure_certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked_for: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    Echo.hosts = []
    with http.server.ThreadingHTTPServer((PUBLIC, 0), Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resolve_to([PUBLIC], [INTERNAL])
        assert fetched(f"https://{NAME}:{server.server_port}/x", tmp_path) == PUBLIC.encode()
        assert (asked_for, Echo.hosts) == ([NAME], [f"{NAME}:{server.server_port}"])
        resolve_to([PUBLIC])
        with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
            fetched(f"https://other.example:{server.server_port}/x", tmp_path, "other.example")
        server.shutdown()
