"""Read the Cloudinary account from the environment.

The SDK's own parsing has pitfalls: only lower-case `true` and `false` become booleans, and some variables override
others. So the values are parsed here, and `apps.storage.gateway` passes them to the SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env

from .secret_file import read_or_create_secret

# The account of cloudlet on localhost, used if no other is configured. Its secret is in cloudlet's data folder.
CLOUDLET_CLOUD, CLOUDLET_KEY, CLOUDLET_SECRET_FILE = "demo", "cloudlet", "api-secret"


@dataclass(frozen=True, slots=True)
class CloudinaryAccount:
    """The account that stores ticket files. `upload_prefix` and `cname` are empty for Cloudinary itself."""

    cloud_name: str
    api_key: str
    api_secret: str = field(repr=False)
    secure: bool = True
    upload_prefix: str = ""
    cname: str = ""
    is_cloudlet: bool = False  # no account was configured, so cloudlet on this machine is used

    @property
    def delivery_origin(self) -> str:
        """Return the origin of the URLs of delivered files."""
        if self.secure:
            return "https://res.cloudinary.com"
        return f"http://{self.cname or 'res.cloudinary.com'}"


def read_cloudinary(env: Env, *, cloudlet_port: int, cloudlet_data: Path) -> CloudinaryAccount:
    """Return the account of the four `CLOUDINARY_*` variables, else of `CLOUDINARY_URL`, else of cloudlet.

    `cloudlet_data` is the data folder of cloudlet, where the secret is created if it does not exist. Raises
    ImproperlyConfigured if only some of the variables are set, rather than fall back to cloudlet.
    """
    names = ("CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET")
    values = [env.str(name, "").strip() for name in names]
    secure = env.bool("CLOUDINARY_SECURE", True)
    if all(values):
        cloud_name, api_key, api_secret = values
        prefix = env.str("CLOUDINARY_UPLOAD_PREFIX", "").rstrip("/")
        return CloudinaryAccount(
            # the SDK lower-cases the name in delivery URLs but not in calls; the service accepts lower case only
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
    secret = env.str("CLOUDLET_SECRET", "") or read_or_create_secret(
        cloudlet_data / CLOUDLET_SECRET_FILE,
        hint="Set CLOUDINARY_* in backend/.env, or ADMIT_VAR_DIR to a folder of your own.",
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
