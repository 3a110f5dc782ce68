"""Authorise deliveries by URL signatures, auth tokens and the access control of assets."""

import datetime
import time
from collections.abc import Iterator, Mapping

from starlette.requests import Request

from cloudlet.assets.delivery_urls import SIGNED_TYPES, escape_source
from cloudlet.config import Settings
from cloudlet.delivery.url_parsing import DeliveryPath, Reading
from cloudlet.delivery.url_variants import source_variants
from cloudlet.errors import not_found, unauthorized
from cloudlet.model import Asset, Json
from cloudlet.signing import auth_token_problem, delivery_signature_is_valid, token_covers
from cloudlet.transformations import ImageLayer

TOKEN_NAME = "__cld_token__"  # noqa: S105 - the name of a query parameter and cookie
_HIDDEN_STATUSES = frozenset({"pending", "rejected"})


class Credentials:
    """The signature and token of one request. A wrong one is refused even if none is required."""

    def __init__(self, request: Request, path: DeliveryPath, settings: Settings) -> None:
        self._path = path
        self._secret = settings.api_secret
        self._token = self._read_token(request, settings)
        self.were_required = False  # set when they are; then shared caches must not store the response

    def _read_token(self, request: Request, settings: Settings) -> str:
        """Return the token of the request, or "". Raises ApiError 401 if it does not give access to the path."""
        token = request.query_params.get(TOKEN_NAME) or _cookie(request)
        if not token:
            return ""
        raw_path = request.scope["raw_path"].decode("ascii", "replace")
        client = request.client.host if request.client else ""
        problems = [
            auth_token_problem(token, path, settings.auth_token_key, ip=client) for path in source_variants(raw_path)
        ]
        if all(problems):
            raise unauthorized(f"Unable to authorize: {problems[0]}")
        return token

    def signature_problem(self, reading: Reading) -> str:
        """Return why the signature is wrong for this reading of the path, or "" if it is right or absent."""
        if not self._path.signature:
            return ""
        if any(delivery_signature_is_valid(text, self._path.signature, self._secret) for text in reading.signed_text):
            return ""
        return f"Invalid signature s--{self._path.signature}--. String to sign - '{reading.signed_text[-1]}'"

    @property
    def are_given(self) -> bool:
        """Whether the request has a signature or a token. A wrong one raises an error elsewhere."""
        return bool(self._path.signature or self._token)

    def require_for_type(self) -> None:
        """Raise ApiError 401 for an `authenticated` URL without credentials, even if the asset does not exist."""
        if self._path.type == "authenticated":
            self._require("This authenticated asset")

    def require_for_original(self) -> None:
        """Raise ApiError 401 for the original of a `private` asset without credentials. Derived files are public."""
        if self._path.type == "private":
            self._require("The original of this private asset")

    def _require(self, what: str) -> None:
        self.were_required = True
        if not self.are_given:
            raise unauthorized(f"{what} needs a signed URL (sign_url=True) or an auth token")

    def require_for_layer(self, layer: ImageLayer, asset: Asset | None) -> None:
        """Raise ApiError 401 or 404 unless a layer could be requested by itself.

        A signature, or a token for a single URL, covers the layers in the URL, since its issuer may read them. A token
        for a pattern covers only layers that match the pattern.
        """
        if layer.delivery_type in SIGNED_TYPES:
            self._require(f"The layer {layer.public_id}")
        if asset is None:
            return
        by_token_alone = bool(self._token) and not self._path.signature
        if by_token_alone and (layer.delivery_type in SIGNED_TYPES or not is_public(asset)):
            self._require_token_for(asset)
        self.require_for_asset(asset)

    def _require_token_for(self, asset: Asset) -> None:
        if not any(token_covers(self._token, path) for path in _own_paths(asset, self._path.cloud)):
            raise unauthorized(f"Unable to authorize: auth token acl does not cover the layer {asset.public_id}")

    def require_for_asset(self, asset: Asset) -> None:
        """Raise ApiError 401 if the asset is restricted, and 404 if its moderation is pending or rejected."""
        if any(entry.get("status") in _HIDDEN_STATUSES for entry in asset.moderation):
            raise not_found(f"Resource not found - {asset.public_id}")
        if asset.type in SIGNED_TYPES or not is_public(asset):
            self.were_required = True
        if not (self.are_given or is_public(asset)):
            raise unauthorized(f"{asset.public_id} is restricted: it needs a signed URL or an auth token")


def _cookie(request: Request) -> str:
    """Return the token's cookie. Tokens are not quoted, and Python before 3.11.10 unquotes in quadratic time."""
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == TOKEN_NAME:
            return value.strip()
    return ""


def is_public(asset: Asset) -> bool:
    """Return whether access mode and access control currently allow all clients. The delivery type is not checked."""
    if asset.access_mode == "public" and not asset.access_control:
        return True
    return any(_is_anonymous(rule) for rule in asset.access_control)


def _own_paths(asset: Asset, cloud: str) -> Iterator[str]:
    """Yield the delivery paths of the asset itself."""
    names = [asset.public_id, f"{asset.public_id}.{asset.format}"]
    for version in ("", "v1/", f"v{asset.version}/"):
        for name in names:
            yield f"/{cloud}/{asset.resource_type}/{asset.type}/{version}{escape_source(name)}"


def _is_anonymous(rule: Mapping[str, Json], now: float | None = None) -> bool:
    """Return whether a rule of access control is `anonymous` and currently valid."""
    if rule.get("access_type") != "anonymous":
        return False
    moment = time.time() if now is None else now
    start, end = _timestamp(rule.get("start")), _timestamp(rule.get("end"))
    return (start is None or start <= moment) and (end is None or moment <= end)


def _timestamp(text: Json) -> float | None:
    if not text:
        return None
    parsed = datetime.datetime.fromisoformat(str(text))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()
