"""Run a real server in the tests of a program that uses Cloudinary.

For example:

    with running_cloudlet() as server:
        cloudinary.config(**server.sdk_config)
"""

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

START_TIMEOUT_SECONDS = 20
STOP_TIMEOUT_SECONDS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class RunningCloudlet:
    """A running server: its URL without a trailing slash, its credentials, its data folder and its process."""

    url: str
    cloud_name: str
    api_key: str
    api_secret: str = dataclasses.field(repr=False)
    data: Path
    process: "subprocess.Popen[str]"

    @property
    def authority(self) -> str:
        """The ``host:port`` of the server."""
        return self.url.partition("://")[2]

    @property
    def is_secure(self) -> bool:
        """Whether the server was started with ``--tls``."""
        return self.url.startswith("https:")

    @property
    def _delivery(self) -> str:
        return "secure_distribution" if self.is_secure else "cname"

    @property
    def cloudinary_url(self) -> str:
        """The CLOUDINARY_URL for an unmodified SDK."""
        credentials = f"cloudinary://{self.api_key}:{self.api_secret}@{self.cloud_name}"
        return f"{credentials}?upload_prefix={self.url}&{self._delivery}={self.authority}"

    @property
    def sdk_config(self) -> dict[str, str | bool]:
        """Keyword arguments for ``cloudinary.config()`` of the Python SDK."""
        return {
            "cloud_name": self.cloud_name,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "upload_prefix": self.url,
            self._delivery: self.authority,
            "secure": self.is_secure,
        }


@contextlib.contextmanager
def running_cloudlet(
    *,
    data: Path | None = None,
    cloud_name: str = "test",
    api_key: str = "1234567890",
    api_secret: str = "",
    options: Sequence[str] = (),
) -> Iterator[RunningCloudlet]:
    """Start ``python -m cloudlet`` on a free port of 127.0.0.1, and stop it at the end of the block.

    ``data`` is the data folder and is kept, so that a second server on it tests a restart. By default it is a temporary
    folder. Without ``api_secret``, the server generates one. ``options`` are further command-line options.

    Raises RuntimeError with the first line of output if the server does not start.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudlet-")))
        command = [sys.executable, "-m", "cloudlet", "--port", "0", "--data", str(folder)]
        command += ["--cloud", cloud_name, "--key", api_key, *options]
        environment = {**os.environ, "CLOUDLET_SECRET": api_secret}
        # A separate session keeps Ctrl-C from reaching the server. The tests stop it when they are interrupted.
        process = subprocess.Popen(  # noqa: S603 - runs this interpreter
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        stack.callback(stop, process)
        announced = urlsplit(_read_url(process))
        url = parse_qs(announced.query)["upload_prefix"][0]
        secret = api_secret or unquote(announced.password or "")
        yield RunningCloudlet(url, cloud_name, api_key, secret, folder, process)


def stop(process: "subprocess.Popen[str]") -> None:
    """Terminate a process, and kill it if it does not exit within ``STOP_TIMEOUT_SECONDS``."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _read_url(process: "subprocess.Popen[str]") -> str:
    """Return the CLOUDINARY_URL from the server's first line, which it prints once its socket listens."""
    if process.stdout is None:
        raise RuntimeError("cloudlet was started without a pipe")
    line = process.stdout.readline()
    _, marker, url = line.partition("CLOUDINARY_URL=")
    if not marker:
        code = process.wait(START_TIMEOUT_SECONDS)
        raise RuntimeError(f"cloudlet did not start (exit code {code}): {line!r}; its error is on standard error")
    return url.strip()
