"""Reads the Cloudinary account from the environment, the way a person would expect it to be read.

The SDK's own reading has traps (only lower-case `true`/`false` become booleans, one variable hides another), so the
values are parsed here once and handed to the SDK by `apps.storage.gateway`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env

from .kept_secret import kept_secret

# The account that cloudlet makes for localhost when no other is configured. Its secret lies in cloudlet's data folder.
CLOUDLET_CLOUD, CLOUDLET_KEY, CLOUDLET_SECRET_FILE = "demo", "cloudlet", "api-secret"


@dataclass(frozen=True, slots=True)
class CloudinaryAccount:
    """Where ticket files go. `upload_prefix` and `cname` are empty for Cloudinary itself."""

    cloud_name: str
    api_key: str
    api_secret: str = field(repr=False)
    secure: bool = True
    upload_prefix: str = ""
    cname: str = ""
    is_cloudlet: bool = False  # nothing was configured: the server on this machine stands in

    @property
    def delivery_origin(self) -> str:
        """How the address of every delivered file begins."""
        if self.secure:
            return "https://res.cloudinary.com"
        return f"http://{self.cname or 'res.cloudinary.com'}"


def read_cloudinary(env: Env, *, cloudlet_port: int, cloudlet_data: Path) -> CloudinaryAccount:
    """The four `CLOUDINARY_*` variables, else `CLOUDINARY_URL`, else cloudlet on this machine.

    Raises ImproperlyConfigured when only some of the variables are set: half an account is a mistake, never a wish
    for cloudlet. The first process that needs the secret of the cloudlet with the data folder `cloudlet_data` makes it.
    """
    names = ("CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET")
    values = [env.str(name, "").strip() for name in names]
    secure = env.bool("CLOUDINARY_SECURE", True)
    if all(values):
        cloud_name, api_key, api_secret = values
        prefix = env.str("CLOUDINARY_UPLOAD_PREFIX", "").rstrip("/")
        return CloudinaryAccount(
            # the SDK lower-cases the name in delivery URLs but not in calls; the service knows lower case only
            cloud_name.lower(),
            api_key,
            api_secret,
            secure=secure and not prefix.startswith("http://"),
            upload_prefix=prefix,
            cname=urlsplit(prefix).netloc if prefix.startswith("http://") else "",
        )
    if any(values):
        missing = ", ".join(name for name, value in zip(names, values, strict=True) if not value)
        raise ImproperlyConfigured(
            f"Cloudinary is half configured: {missing} missing. Set all of {', '.join(names)} in backend/.env, "
            "or none of them to use cloudlet on this machine."
        )
    if url := env.str("CLOUDINARY_URL", ""):
        return _from_url(url, secure)
    host = f"localhost:{cloudlet_port}"
    secret = env.str("CLOUDLET_SECRET", "") or kept_secret(
        cloudlet_data / CLOUDLET_SECRET_FILE,
        otherwise="Set CLOUDINARY_* in backend/.env, or ADMIT_VAR_DIR to a folder of your own.",
    )
    return CloudinaryAccount(CLOUDLET_CLOUD, CLOUDLET_KEY, secret, False, f"http://{host}", host, is_cloudlet=True)


def _from_url(url: str, secure: bool) -> CloudinaryAccount:
    parts = urlsplit(url)
    if parts.scheme != "cloudinary" or not (parts.username and parts.password and parts.hostname):
        raise ImproperlyConfigured("CLOUDINARY_URL must look like cloudinary://API_KEY:API_SECRET@CLOUD_NAME.")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    prefix = options.get("upload_prefix", "").rstrip("/")
    return CloudinaryAccount(
        parts.hostname,
        unquote(parts.username),
        unquote(parts.password),
        secure=secure and not prefix.startswith("http://"),
        upload_prefix=prefix,
        cname=options.get("cname", ""),
    )
