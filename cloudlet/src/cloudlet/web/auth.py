"""Who is calling. Upload calls are signed, or unsigned with a preset; Admin calls use Basic authentication."""

import base64
import binascii
import datetime
import hmac
import time

from starlette.requests import Request

from cloudlet import signing
from cloudlet.config import Settings
from cloudlet.errors import bad_request, unauthorized
from cloudlet.web.moments import read_moment
from cloudlet.web.params import Params

NOTIFICATION_FIELDS = ("notification_url", "batch_id")


def check_cloud(request: Request, settings: Settings) -> None:
    """401 unless the path names our cloud."""
    cloud = request.path_params["cloud"]
    if cloud != settings.cloud_name:
        raise unauthorized(f"Invalid cloud_name {cloud}")


def is_from_another_origin(request: Request) -> bool:
    """Return whether a page of another origin caused the request, as far as its browser says."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != request.headers.get("host", "").lower()


def authenticate_basic(request: Request, settings: Settings, *, from_any_page: bool = False) -> bool:
    """Return True for right credentials, False without an Authorization header; 401 for wrong ones.

    A browser adds the credentials that it remembers to what any page makes it send. Unless ``from_any_page``, they do
    not count there: 401.
    """
    header = request.headers.get("authorization")
    if not header:
        return False
    if is_from_another_origin(request) and not from_any_page:
        raise unauthorized("Basic authentication does not work from the pages of other sites: sign the call")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise unauthorized("Invalid token: cloudlet knows API keys only")
    try:
        key, separator, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthorized("Invalid Authorization header") from error
    if not separator or not hmac.compare_digest(key.encode(), settings.api_key.encode()):
        raise unauthorized("unknown api_key")
    if not hmac.compare_digest(secret.encode(), settings.api_secret.encode()):
        raise unauthorized("api_secret mismatch")
    return True


def require_admin(request: Request, settings: Settings) -> None:
    """Lets an Admin API call through, or 401: first for a key that nobody has, then for one of another cloud."""
    if not authenticate_basic(request, settings):
        raise unauthorized("Must supply api_key and api_secret by HTTP Basic authentication")
    if request.path_params["cloud"] != settings.cloud_name:
        raise unauthorized("cloud_name mismatch")


def require_signature(
    params: Params, settings: Settings, *, notifications_optional: bool = False, stale: bool = True
) -> None:
    """Lets a signed call through, or says what is missing, stale or wrong.

    The SDKs of 2025 leave ``notification_url`` and ``batch_id`` unsigned on tags, context and metadata calls, which
    ``notifications_optional`` allows for. ``stale=False`` lets an old timestamp pass, for calls that expire otherwise.
    """
    key = params.text("api_key")
    if not key:
        raise unauthorized("Must supply api_key")
    if not hmac.compare_digest(key.encode(), settings.api_key.encode()):
        raise unauthorized(f"Unknown API key {key}")
    signature = params.required("signature")
    _check_timestamp(params.required("timestamp"), stale=stale)
    signed = {name: _signable(value) for name, value in params.raw().items()}
    optional = NOTIFICATION_FIELDS if notifications_optional else ()
    if not signing.params_signature_is_valid(signed, signature, settings.api_secret, optional=optional):
        raise unauthorized(f"Invalid Signature {signature}. String to sign - '{signing.string_to_sign(signed)}'.")


def _signable(value: object) -> signing.ParamValue:
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)


def _check_timestamp(text: str, *, stale: bool) -> None:
    moment = read_moment(text)
    if moment is None:
        raise bad_request(f"Invalid timestamp {text[:40]}")
    if stale and moment < time.time() - signing.TIMESTAMP_LIFETIME_SECONDS:
        shown = datetime.datetime.fromtimestamp(moment, tz=datetime.UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
        raise bad_request(f"Stale request - reported time is {shown} which is more than 1 hour ago")
