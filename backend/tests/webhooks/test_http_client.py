"""Test the URL policy and the HTTP client of webhooks: public addresses, verified TLS, limited time and size."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ValidationError

from apps.webhooks import http_client, url_policy
from ticketkit.testing import name, pem

from .receiver import Receiver, Reply, receiving

pytestmark = pytest.mark.integration

REFUSED = "The host resolves to an address that is not public, so nothing is sent there."


# -- URLs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org:8443/in?token=a%20b",
        "https://xn--bcher-kva.example/",
        "https://[2606:4700::1111]/in",
        "https://1.1.1.1/",
    ],
)
def test_valid_urls_are_accepted(url: str) -> None:
    url_policy.validate_url(url)


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("http://hooks.example.org/", "https"),
        ("ftp://hooks.example.org/", "https"),
        ("file:///etc/passwd", "https"),
        ("//hooks.example.org/", "https"),
        ("https:///in", "host"),
        ("https://hooks.example.org:0/", "port"),
        ("https://hooks.example.org:99999/", "URL"),
        ("https://user:password@hooks.example.org/", "user name"),
        ("https://hooks.example.org@10.0.0.1/", "user name"),
        ("https://hooks.example.org/#part", "#"),
        ("https://hooks.example.org/a b", "ASCII"),
        ("https://hooks.example.org/\r\nHost: other", "ASCII"),
        ("https://bücher.example/", "Punycode"),
        ("https://hooks.example.org\\@10.0.0.1/", "ASCII"),
        ("https://[::1/", "URL"),
        ("https://127.0.0.1/", "public"),
        ("https://localhost/", "public"),
        ("https://localhost./", "public"),
        ("https://db.localhost:5432/", "public"),
        ("https://169.254.169.254/latest/meta-data/", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
    ],
)
def test_invalid_urls_are_refused(url: str, because: str) -> None:
    with pytest.raises(ValidationError, match=because):
        url_policy.validate_url(url)


@pytest.mark.parametrize("url", ["http://localhost:9999/", "https://127.0.0.1/"])
def test_private_urls_are_accepted_if_the_setting_allows_them(url: str, private: None) -> None:
    url_policy.validate_url(url)


# -- Name resolution ---------------------------------------------------------------------------------------------


class Resolver:
    """A fake of DNS: the answer to each look-up; the last one is repeated."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/"])
def test_other_spellings_of_localhost_are_refused(url: str) -> None:
    assert http_client.post(url, b"", {}).reason == REFUSED


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["1.1.1.1", "10.0.0.1"]))
    answer = http_client.post("https://hooks.example.org/", b"", {})
    assert answer.reason == REFUSED
    assert "10.0.0.1" not in answer.reason


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch, private: None) -> Iterator[tuple[Receiver, Receiver, Resolver]]:
    """Run a public and an internal server on one port. DNS resolves to the public one first, then to the internal one.

    127.0.0.2 stands for the public address, because tests have no network.
    """
    with receiving("127.0.0.2") as public:
        port = int(public.url.split(":")[2].split("/")[0])
        with receiving("127.0.0.1", port) as inside:
            resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
            monkeypatch.setattr(socket, "getaddrinfo", resolver)
            monkeypatch.setattr(url_policy, "is_public", lambda address: str(address) == "127.0.0.2")
            yield public, inside, resolver


def test_dns_rebinding_does_not_reach_the_internal_server(
    rebinding: tuple[Receiver, Receiver, Resolver],
) -> None:
    public, inside, resolver = rebinding
    url = public.url.replace("127.0.0.2", "rebinding.example.org")
    assert http_client.post(url, b"{}", {}).is_accepted
    assert resolver.asked == ["rebinding.example.org"], "resolved more than once"
    assert (len(public.received), len(inside.received)) == (1, 0)


def test_dns_rebinding_reaches_it_if_check_and_connection_resolve_separately(
    rebinding: tuple[Receiver, Receiver, Resolver],
) -> None:
    """The negative control."""
    public, inside, _ = rebinding
    parsed = url_policy.parse(public.url.replace("127.0.0.2", "rebinding.example.org"))
    url_policy.resolve(parsed)
    connection = http.client.HTTPConnection(parsed.host, parsed.port, timeout=10)
    connection.request("POST", parsed.target, b"{}")
    assert connection.getresponse().status == 200
    connection.close()
    assert (len(public.received), len(inside.received)) == (0, 1)


# -- TLS ---------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(COMMON_NAME="Test authority")
        own = self._certificate(self.name, self.key, ca=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def server(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(name(COMMON_NAME="a server"), key, ca=False, host=host)
        files = self.folder / "server.pem", self.folder / "server.key"
        files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        files[1].write_bytes(pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        return context

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, host: str = ""
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, SHA256())


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: None) -> Iterator[Authority]:
    """Make an authority that this machine trusts, as it would a company's own."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.1"]))
    http_client._tls.cache_clear()
    yield made
    http_client._tls.cache_clear()


def test_tls_uses_the_name_in_the_url(authority: Authority) -> None:
    names: list[str | None] = []
    context = authority.server("hooks.example.org")
    context.sni_callback = lambda _, asked_for, __: names.append(asked_for)
    with receiving(tls=context) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        answer = http_client.post(f"https://hooks.example.org:{port}/in", b"{}", {})
    assert answer.is_accepted, answer.reason
    assert names == ["hooks.example.org"]
    assert receiver.received[0].headers["host"] == f"hooks.example.org:{port}"


def test_certificate_for_another_name_is_refused(authority: Authority) -> None:
    with receiving(tls=authority.server("other.example.org")) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        answer = http_client.post(f"https://hooks.example.org:{port}/in", b"{}", {})
    assert "certificate" in answer.reason
    assert receiver.received == []


def test_certificate_of_an_unknown_authority_is_refused(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    http_client._tls.cache_clear()
    with receiving(tls=authority.server("hooks.example.org")) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        answer = http_client.post(f"https://hooks.example.org:{port}/in", b"{}", {})
    assert "certificate" in answer.reason
    assert receiver.received == []


# -- Time and size -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def raw_server(answer: Any) -> Iterator[str]:
    """Accept one connection and pass it to `answer`, in a thread. Yield the URL to POST to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(20)
        assert not thread.is_alive()


def drip(connection: socket.socket, start: bytes, again: bytes) -> None:
    """Send bytes one after another, with short pauses, until the other side hangs up."""
    connection.recv(65536)
    connection.sendall(start)
    pause = threading.Event()
    while True:
        connection.sendall(again)
        pause.wait(0.05)


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "],
    ids=["status line", "header", "after a 100"],
)
def test_response_of_slow_bytes_is_aborted(start: bytes, monkeypatch: pytest.MonkeyPatch, private: None) -> None:
    monkeypatch.setattr(http_client, "TOTAL_TIMEOUT_SECONDS", 1.0)
    with raw_server(lambda connection: drip(connection, start, b"1")) as url:
        answer = http_client.post(url, b"{}", {})
    assert (answer.status, answer.reason) == (None, "No answer within 1 seconds.")


def test_tls_handshake_of_slow_bytes_is_aborted(monkeypatch: pytest.MonkeyPatch, private: None) -> None:
    monkeypatch.setattr(http_client, "TOTAL_TIMEOUT_SECONDS", 1.0)
    hello = bytes.fromhex("160303 4000".replace(" ", ""))  # the head of a record of 16 KB
    with raw_server(lambda connection: drip(connection, hello, b"\x02")) as url:
        answer = http_client.post(url.replace("http:", "https:"), b"{}", {})
    assert answer.status is None
    assert not answer.is_accepted


def test_status_counts_even_if_the_body_never_ends(monkeypatch: pytest.MonkeyPatch, private: None) -> None:
    monkeypatch.setattr(http_client, "TOTAL_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(http_client, "MAX_READ_BYTES", 1 << 24)
    with raw_server(lambda connection: drip(connection, b"HTTP/1.1 202 Accepted\r\n\r\n", b"1")) as url:
        assert http_client.post(url, b"{}", {}).status == 202


def test_few_kilobytes_of_the_body_are_read(private: None) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 1 << 30:
            sent += connection.send(bytes(65536))

    with raw_server(flood) as url:
        assert http_client.post(url, b"{}", {}).status == 200
    assert sent < 1 << 26, "more than the sockets' buffers hold"


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100])
def test_response_that_is_no_http_has_a_reason(garbage: bytes, private: None) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(garbage)

    with raw_server(answer) as url:
        failed = http_client.post(url, b"{}", {})
    assert failed.status is None
    assert failed.reason


def test_name_that_does_not_resolve_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert http_client.post("https://hooks.example.org/", b"", {}).reason == "The host's name does not resolve."


def test_next_address_is_tried_if_one_refuses(private: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving("127.0.0.2") as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.3", "127.0.0.2"]))
        receiver.answer = lambda received: Reply(204)
        assert http_client.post(receiver.url.replace("127.0.0.2", "two.example.org"), b"{}", {}).status == 204
