"""Servers inside the test process: they start in milliseconds, so that tests can have options of their own."""

import contextlib
import dataclasses
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from cloudlet.app import create_app
from cloudlet.cli import build_parser, settings_from
from cloudlet.server.serve import listen, uvicorn_server
from cloudlet.testing import RunningCloudlet

STOP_TIMEOUT_SECONDS = 30
SWITCH_INTERVAL_SECONDS = 0.0005  # as the real server's; see cloudlet/server/serve.py


@contextlib.contextmanager
def threaded_cloudlet(*options: str, data: Path | None = None) -> Iterator[RunningCloudlet]:
    """Run a server in a thread, on a free port, with the given command-line options.

    Unlike that of ``running_cloudlet``, it has no ``process``, prints nothing, leaves the umask alone, and shares the
    worker processes of the whole test process. ``data`` is kept when given, else a temporary folder is used.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudlet-")))
        arguments = ["--port", "0", "--cloud", "test", "--key", "1234567890", "--data", str(folder), *options]
        settings = settings_from(build_parser().parse_args(arguments))
        # Clients may connect at once: the socket is listening, and the server will accept what is in its backlog.
        listener = stack.enter_context(listen(settings.host, settings.port))
        settings = dataclasses.replace(settings, port=listener.getsockname()[1])
        server = uvicorn_server(create_app(settings), settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="cloudlet")
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        thread.start()
        try:
            yield RunningCloudlet(
                settings.base_url,
                settings.cloud_name,
                settings.api_key,
                settings.api_secret,
                folder,
                process=None,  # type: ignore[arg-type]
            )
        finally:
            server.should_exit = True
            thread.join(STOP_TIMEOUT_SECONDS)
            assert not thread.is_alive(), "the server does not stop"
