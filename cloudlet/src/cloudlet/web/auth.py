"""Authenticate clients. The Upload API uses signatures or unsigned presets, the Admin API Basic authentication."""

import base64
import binascii
import datetime
import hmac
import time

from starlette.requests import Request

from cloudlet import signing
from cloudlet.config import Settings
from cloudlet.errors import bad_request, unauthorized
from cloudlet.web.params import Params
from cloudlet.web.timestamps import parse_timestamp

NOTIFICATION_FIELDS = ("notification_url", "batch_id")


def check_cloud(request: Request, settings: Settings) -> None:
    """Raise ApiError 401 unless the path names the cloud of this server."""
    cloud = request.path_params["cloud"]
    if cloud != settings.cloud_name:
        raise unauthorized(f"Invalid cloud_name {cloud}")


def is_cross_origin(request: Request) -> bool:
    """Return whether the headers of the browser show that a page of another origin sent the request."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != request.headers.get("host", "").lower()


def authenticate_basic(request: Request, settings: Settings, *, allow_cross_origin: bool = False) -> bool:
    """Return whether the request has an Authorization header. Raises ApiError 401 if its credentials are wrong.

    Browsers add remembered credentials to requests of any page. Unless ``allow_cross_origin`` is set, credentials in a
    cross-origin request raise ApiError 401 too (CSRF).
    """
    header = request.headers.get("authorization")
    if not header:
        return False
    if is_cross_origin(request) and not allow_cross_origin:
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
    """Raise ApiError 401 unless an Admin API call has valid credentials for this cloud.

    Credentials are checked before the cloud, as by Cloudinary.
    """
    if not authenticate_basic(request, settings):
        raise unauthorized("Must supply api_key and api_secret by HTTP Basic authentication")
    if request.path_params["cloud"] != settings.cloud_name:
        raise unauthorized("cloud_name mismatch")


def require_signature(
    params: Params, settings: Settings, *, notifications_optional: bool = False, check_age: bool = True
) -> None:
    """Raise ApiError 400 or 401 unless a call has a valid signature and a recent timestamp.

    The SDKs of 2025 do not sign ``notification_url`` and ``batch_id`` in tags, context and metadata calls.
    ``notifications_optional`` allows this. ``check_age=False`` accepts old timestamps, for calls with their own expiry.
    """
    key = params.text("api_key")
    if not key:
        raise unauthorized("Must supply api_key")
    if not hmac.compare_digest(key.encode(), settings.api_key.encode()):
        raise unauthorized(f"Unknown API key {key}")
    signature = params.required("signature")
    _check_timestamp(params.required("timestamp"), check_age=check_age)
    signed = {name: _signable(value) for name, value in params.raw().items()}
    optional = NOTIFICATION_FIELDS if notifications_optional else ()
    if not signing.params_signature_is_valid(signed, signature, settings.api_secret, optional=optional):
        raise unauthorized(f"Invalid Signature {signature}. String to sign - '{signing.string_to_sign(signed)}'.")


def _signable(value: object) -> signing.ParamValue:
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)


def _check_timestamp(text: str, *, check_age: bool) -> None:
    timestamp = parse_timestamp(text)
    if timestamp is None:
        raise bad_request(f"Invalid timestamp {text[:40]}")
    if check_age and timestamp < time.time() - signing.TIMESTAMP_LIFETIME_SECONDS:
        shown = datetime.datetime.fromtimestamp(timestamp, tz=datetime.UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
        raise bad_request(f"Stale request - reported time is {shown} which is more than 1 hour ago")
