"""Delete tokens. They allow a client without the API secret to delete its upload within ten minutes."""

import base64
import binascii
import hmac
import json
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cloudlet.errors import bad_request
from cloudlet.model import Asset
from cloudlet.services import services_of
from cloudlet.store import Transaction, assets
from cloudlet.web.auth import check_cloud
from cloudlet.web.forms import read_form

LIFETIME_SECONDS = 600


def issue(asset: Asset, secret: str) -> str:
    """Return a token for this version of the asset. It is authenticated by a MAC, so it survives a restart."""
    payload = json.dumps(
        [*asset.key, asset.version, int(time.time()) + LIFETIME_SECONDS], separators=(",", ":")
    ).encode()
    return base64.urlsafe_b64encode(_mac(payload, secret) + payload).decode()


def _mac(payload: bytes, secret: str) -> bytes:
    return hmac.digest(b"delete-token:" + secret.encode(), payload, "sha256")


def _verify(token: str, secret: str) -> tuple[str, str, str, int]:
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, ValueError) as error:
        raise bad_request("Invalid token") from error
    mac, payload = raw[:32], raw[32:]
    if not hmac.compare_digest(mac, _mac(payload, secret)):
        raise bad_request("Invalid token")
    resource_type, type_, public_id, version, expires = json.loads(payload)
    if expires < time.time():
        raise bad_request("Token expired")
    return resource_type, type_, public_id, version


async def delete_by_token(request: Request) -> Response:
    """Serve ``POST /v1_1/{cloud}/delete_by_token``, which the token authorises instead of a signature.

    Raises ApiError 400 if the token is invalid or has expired.
    """
    services = services_of(request)
    check_cloud(request, services.settings)
    form = await read_form(request, services.store.stage, services.settings.max_upload_bytes)
    form.discard()
    *key, version = _verify(form.params.required("token"), services.settings.api_secret)
    resource_type, type_, public_id = key

    def job(transaction: Transaction) -> bool:
        asset = assets.find(transaction.connection, resource_type, type_, public_id)
        if asset is None or asset.placeholder or asset.version != version:
            return False
        assets.delete(transaction, asset)
        return True

    found = await services.store.write_async(job)
    return JSONResponse({"result": "ok" if found else "not found"})
