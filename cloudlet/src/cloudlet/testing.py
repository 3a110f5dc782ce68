"""A real server for the tests of whoever uses cloudlet.

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

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10


@dataclasses.dataclass(frozen=True, slots=True)
class RunningCloudlet:
    """Where a server answers, and its credentials. ``url`` has no trailing slash."""

    url: str
    cloud_name: str
    api_key: str
    api_secret: str = dataclasses.field(repr=False)
    data: Path
    process: "subprocess.Popen[str]"

    @property
    def authority(self) -> str:
        """``host:port``."""
        return self.url.partition("://")[2]

    @property
    def is_secure(self) -> bool:
        """Whether it was started with ``--tls``."""
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
    """Starts ``python -m cloudlet`` on a free port of 127.0.0.1 and stops it afterwards.

    Without ``api_secret`` the server makes one of its own.
    ``data`` is kept when given (start again on it to test a restart), else a temporary folder is used.
    ``options`` are further command-line options. Raises ``RuntimeError`` with the server's output when it does
    not come up.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudlet-")))
        command = [sys.executable, "-m", "cloudlet", "--port", "0", "--data", str(folder)]
        command += ["--cloud", cloud_name, "--key", api_key, *options]
        environment = {**os.environ, "CLOUDLET_SECRET": api_secret}
        # In a session of its own: Ctrl-C is for the tests, which then stop it.
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        stack.callback(stop, process)
        announced = urlsplit(_announced_url(process))
        url = parse_qs(announced.query)["upload_prefix"][0]
        secret = api_secret or unquote(announced.password or "")
        yield RunningCloudlet(url, cloud_name, api_key, secret, folder, process)


def stop(process: "subprocess.Popen[str]") -> None:
    """Asks politely, then insists."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _announced_url(process: "subprocess.Popen[str]") -> str:
    """Reads ``CLOUDINARY_URL=...`` from the server's first line; the socket is listening by then."""
    if process.stdout is None:
        raise RuntimeError("cloudlet was started without a pipe")
    line = process.stdout.readline()
    _, marker, url = line.partition("CLOUDINARY_URL=")
    if not marker:
        code = process.wait(START_TIMEOUT_S)
        raise RuntimeError(f"cloudlet did not start (exit code {code}): {line!r}; its error is on standard error")
    return url.strip()
