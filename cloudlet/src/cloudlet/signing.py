"""Every signature of the protocol: API calls, responses, webhooks, delivery URLs and auth tokens.

Algorithms as implemented by the official SDKs (pycloudinary ``cloudinary/utils.py`` and ``cloudinary/auth_token.py``).
All comparisons take constant time.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

UNSIGNED_FIELDS = frozenset({"file", "api_key", "signature", "cloud_name", "resource_type"})
TIMESTAMP_LIFETIME_S = 3600
SHORT_SIGNATURE = 8
LONG_SIGNATURE = 32

Algorithm = Literal["sha1", "sha256"]
ParamValue = str | Sequence[str]


def string_to_sign(params: Mapping[str, ParamValue], *, version: int = 2) -> str:
    """``k=v`` pairs sorted and joined by ``&``; version 2 escapes ``&`` inside a pair against smuggled parameters."""
    pairs = []
    for key, value in params.items():
        text = value if isinstance(value, str) else ",".join(value)
        if key in UNSIGNED_FIELDS or not text:
            continue
        pair = f"{key}={text}"
        pairs.append(pair.replace("&", "%26") if version >= 2 else pair)
    return "&".join(sorted(pairs))


_DIGESTS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}


def hex_digest(text: str, algorithm: Algorithm = "sha1") -> str:
    return _DIGESTS[algorithm](text.encode(), usedforsecurity=False).hexdigest()


def sign_params(
    params: Mapping[str, ParamValue], secret: str, *, algorithm: Algorithm = "sha1", version: int = 2
) -> str:
    """The hex signature that an SDK sends along with ``params``."""
    return hex_digest(string_to_sign(params, version=version) + secret, algorithm)


def params_signature_is_valid(
    params: Mapping[str, ParamValue], signature: str, secret: str, *, optional: Iterable[str] = ()
) -> bool:
    """Whether ``signature`` signs ``params``, in either algorithm and either version of the string to sign.

    ``optional`` names parameters that some SDK versions leave out of the signature; they are tried both ways.
    """
    algorithm: Algorithm = "sha256" if len(signature) == 64 else "sha1"
    given = signature.lower().encode()
    candidates: list[Mapping[str, ParamValue]] = [params]
    skipped = set(optional) & params.keys()
    if skipped:
        candidates.append({key: value for key, value in params.items() if key not in skipped})
    for candidate in candidates:
        for version in (2, 1):
            expected = sign_params(candidate, secret, algorithm=algorithm, version=version)
            if hmac.compare_digest(expected.encode(), given):
                return True
    return False


def response_signature(public_id: str, version: int, secret: str) -> str:
    """The ``signature`` field of an upload response; clients check it with string-to-sign version 1."""
    return sign_params({"public_id": public_id, "version": str(version)}, secret, version=1)


def webhook_signature(body: str, timestamp: int, secret: str, algorithm: Algorithm = "sha1") -> str:
    """The value of ``X-Cld-Signature`` for a notification."""
    return hex_digest(f"{body}{timestamp}{secret}", algorithm)


def delivery_signature(
    to_sign: str, secret: str, *, length: int = SHORT_SIGNATURE, algorithm: Algorithm = "sha1"
) -> str:
    """The characters between ``s--`` and ``--`` for ``[transformation/]public_id[.format]``.

    A signature of 32 characters is always SHA-256 (``long_url_signature``).
    """
    name = "sha256" if length == LONG_SIGNATURE else algorithm
    digest = hashlib.new(name, (to_sign + secret).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest)[:length].decode()


def delivery_signature_is_valid(to_sign: str, signature: str, secret: str) -> bool:
    """Whether ``signature`` (8 or 32 characters) was made for ``to_sign``, in either algorithm."""
    if len(signature) not in (SHORT_SIGNATURE, LONG_SIGNATURE):
        return False
    algorithms: tuple[Algorithm, ...] = ("sha1", "sha256")
    return any(
        hmac.compare_digest(
            delivery_signature(to_sign, secret, length=len(signature), algorithm=algorithm).encode(),
            signature.encode(),
        )
        for algorithm in algorithms
    )


# ---------------------------------------------------------------------------------------------- auth tokens

_TOKEN_UNSAFE = re.compile(r'([ "#%&\'/:;<=>?@\[\\\]^`{|}~]+)')


def escape_for_token(url: str) -> str:
    """Percent-escapes in lower case, as the SDKs write URLs and ACLs into a token."""
    return _TOKEN_UNSAFE.sub(lambda match: "".join(f"%{byte:02x}" for byte in match.group(0).encode()), url)


def auth_token_problem(token: str, path: str, key: str, *, ip: str = "", now: float | None = None) -> str:
    """Why ``token`` (``exp=..~acl=..~hmac=..``) does not open ``path``; an empty string when it does.

    ``key`` is the hex secret of token authentication. ``path`` is the URL's path with its leading slash.
    """
    fields = _token_fields(token)
    given = fields.pop("hmac", "")
    if not given or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", key):
        return "auth token has no hmac" if not given else "no auth token key is configured"
    parts = [part for part in token.split("~") if not part.startswith("hmac=")]
    if "acl" not in fields:
        parts.append(f"url={escape_for_token(path)}")
    expected = hmac.new(bytes.fromhex(key), "~".join(parts).encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.lower().encode()):
        return "auth token hmac mismatch"
    return _token_limits_problem(fields, path, ip, time.time() if now is None else now)


def _token_fields(token: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in token.split("~"))


def token_covers(token: str, path: str) -> bool:
    """Return whether a token that is valid for a request covers ``path``: by its ACL, or made for one URL."""
    fields = _token_fields(token)
    return "acl" not in fields or any(_acl_matches(acl, path) for acl in fields["acl"].split("!"))


def _token_limits_problem(fields: Mapping[str, str], path: str, ip: str, now: float) -> str:
    try:
        start, end = int(fields.get("st", "0")), int(fields["exp"])
    except (KeyError, ValueError):
        return "auth token has no valid exp"
    if now < start:
        return "auth token is not valid yet"
    if now > end:
        return "auth token has expired"
    if fields.get("ip") and fields["ip"] != ip:
        return "auth token is bound to another ip"
    if "acl" in fields and not any(_acl_matches(acl, path) for acl in fields["acl"].split("!")):
        return "auth token acl does not cover this url"
    return ""


def _acl_matches(acl: str, path: str) -> bool:
    """Return whether ``acl``, in which each ``*`` stands for any text, covers ``path``. Takes linear time."""
    first, *pieces = acl.split("*")
    rest = escape_for_token(path)
    if not pieces:
        return rest == first
    *middle, last = pieces
    if not (rest.startswith(first) and rest.endswith(last) and len(rest) >= len(first) + len(last)):
        return False
    rest = rest[len(first) : len(rest) - len(last)]
    for piece in middle:
        _, found, rest = rest.partition(piece) if piece else ("", "*", rest)
        if not found:
            return False
    return True
