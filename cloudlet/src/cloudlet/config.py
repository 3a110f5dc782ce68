"""The settings of a server. They are read once at start and never change."""

import dataclasses
import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

DEFAULT_CLOUD = "cloudlet"
DEFAULT_KEY = "111222333444555"

FolderMode = Literal["fixed", "dynamic"]


class ConfigError(ValueError):
    """An option cannot work. The text says what to change."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one server.

    ``remote_hosts`` and ``webhook_hosts`` hold entries ``host`` or ``host:port``. ``*`` allows all hosts that do not
    resolve to a private address. Sizes are in bytes, pixels are width x height, and ``rate_limit`` is in calls per
    hour. Raises ConfigError if a value cannot work.
    """

    data: Path
    api_secret: str = dataclasses.field(repr=False)
    host: str = "127.0.0.1"
    port: int = 9000
    cloud_name: str = DEFAULT_CLOUD
    api_key: str = DEFAULT_KEY
    auth_token_key: str = ""
    tls: bool = False
    folder_mode: FolderMode = "fixed"
    backup: bool = False
    unsigned_ml_default: bool = False
    remote_hosts: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    max_upload_bytes: int = 2 * 1024**3
    max_pixels: int = 100_000_000
    max_derived_pixels: int = 50_000_000
    rate_limit: int = 5000
    faults: tuple[str, ...] = ()
    fault_seed: int = 0

    def __post_init__(self) -> None:
        if self.folder_mode not in ("fixed", "dynamic"):
            raise ConfigError(f"folder mode must be fixed or dynamic, not {self.folder_mode!r}")
        if not (self.cloud_name and self.api_key and self.api_secret):
            raise ConfigError("--cloud, --key and --secret must not be empty")

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def base_url(self) -> str:
        """The URL of this server, without a trailing slash."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """The ``host:port`` under which clients reach the server. A wildcard address becomes 127.0.0.1."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The names of this server as ``host:port``. On loopback, localhost and 127.0.0.1 are included."""
        names = {self.host, "localhost", "127.0.0.1"} if is_loopback(self.host) else {self.host}
        return tuple(f"{name}:{self.port}" for name in sorted(names))

    @property
    def cloudinary_url(self) -> str:
        """The CLOUDINARY_URL that points an unmodified SDK at this server."""
        return self.cloudinary_url_with(quote(self.api_secret, safe=""))

    def cloudinary_url_with(self, secret: str) -> str:
        """Return the CLOUDINARY_URL with ``secret``, which must be escaped, instead of the API secret."""
        credentials = f"cloudinary://{self.api_key}:{secret}@{self.cloud_name}"
        delivery = f"secure_distribution={self.authority}" if self.tls else f"cname={self.authority}"
        return f"{credentials}?upload_prefix={self.base_url}&{delivery}"


def is_loopback(host: str) -> bool:
    """Return whether a server on ``host`` is only reachable from this machine.

    ``localhost`` and its subdomains are reserved names of this machine (RFC 6761).
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
