"""Run the application under uvicorn on one TCP socket."""

import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from cloudlet.config import ConfigError, Settings
from cloudlet.server.http_protocol import Protocol
from cloudlet.server.tls_sniffing import tls_sniffing_protocol


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Port 0 chooses a free port. Raises ConfigError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by accepted connections
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from error
    return listener


def certificate_of(settings: Settings) -> tuple[Path, Path]:
    """Return the paths of the certificate and the key for ``--tls``, which are created if necessary."""
    # Imported here because cryptography takes a tenth of the startup time, and only --tls needs it.
    from cloudlet.server.tls import ensure_certificate

    return ensure_certificate(settings.data / "tls", settings.host)


# The writer thread releases the GIL in many short system calls. With the default interval of 5 ms, it would wait that
# long to get it back from a busy event loop, which more than halves the throughput of uploads.
_SWITCH_INTERVAL_SECONDS = 0.0005


def run(app: Starlette, settings: Settings, listener: socket.socket) -> None:
    """Run the server until it is interrupted."""
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    uvicorn_server(app, settings).run(sockets=[listener])


def uvicorn_server(app: Starlette, settings: Settings) -> uvicorn.Server:
    """Return the server for the application, not started."""
    config = uvicorn.Config(
        app,
        http=tls_sniffing_protocol(*certificate_of(settings)) if settings.tls else Protocol,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
