"""All signatures of the protocol: API calls, responses, webhooks, delivery URLs and auth tokens.

The algorithms are those of the official SDKs (pycloudinary ``cloudinary/utils.py`` and ``cloudinary/auth_token.py``).
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
TIMESTAMP_LIFETIME_SECONDS = 3600
SHORT_SIGNATURE_LENGTH = 8
LONG_SIGNATURE_LENGTH = 32

Algorithm = Literal["sha1", "sha256"]
ParamValue = str | Sequence[str]


def string_to_sign(params: Mapping[str, ParamValue], *, version: int = 2) -> str:
    """Return the pairs ``k=v``, sorted and joined by ``&``.

    Version 2 escapes ``&`` inside a pair, which prevents parameter smuggling.
    """
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
    """Return the digest of a text as hex. SHA-1 is the protocol's default and not our choice."""
    return _DIGESTS[algorithm](text.encode(), usedforsecurity=False).hexdigest()


def sign_params(
    params: Mapping[str, ParamValue], secret: str, *, algorithm: Algorithm = "sha1", version: int = 2
) -> str:
    """Return the hex signature that an SDK sends with ``params``."""
    return hex_digest(string_to_sign(params, version=version) + secret, algorithm)


def params_signature_is_valid(
    params: Mapping[str, ParamValue], signature: str, secret: str, *, optional: Iterable[str] = ()
) -> bool:
    """Return whether ``signature`` is valid for ``params``, in either algorithm and version of the string to sign.

    ``optional`` names parameters that some SDK versions do not sign. Both ways are tried.
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
    """Return the ``signature`` field of an upload response. Clients check it with string-to-sign version 1."""
    return sign_params({"public_id": public_id, "version": str(version)}, secret, version=1)


def webhook_signature(body: str, timestamp: int, secret: str, algorithm: Algorithm = "sha1") -> str:
    """Return the value of ``X-Cld-Signature`` for a notification."""
    return hex_digest(f"{body}{timestamp}{secret}", algorithm)


def delivery_signature(
    to_sign: str, secret: str, *, length: int = SHORT_SIGNATURE_LENGTH, algorithm: Algorithm = "sha1"
) -> str:
    """Return the characters between ``s--`` and ``--`` for ``[transformation/]public_id[.format]``.

    A signature of 32 characters always uses SHA-256 (``long_url_signature``).
    """
    name = "sha256" if length == LONG_SIGNATURE_LENGTH else algorithm
    digest = hashlib.new(name, (to_sign + secret).encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest)[:length].decode()


def delivery_signature_is_valid(to_sign: str, signature: str, secret: str) -> bool:
    """Return whether ``signature`` (8 or 32 characters) is valid for ``to_sign``, in either algorithm."""
    if len(signature) not in (SHORT_SIGNATURE_LENGTH, LONG_SIGNATURE_LENGTH):
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
    """Percent-encode in lower case, as the SDKs do with URLs and ACLs in a token."""
    return _TOKEN_UNSAFE.sub(lambda match: "".join(f"%{byte:02x}" for byte in match.group(0).encode()), url)


def auth_token_problem(token: str, path: str, key: str, *, ip: str = "", now: float | None = None) -> str:
    """Return why ``token`` (``exp=..~acl=..~hmac=..``) does not give access to ``path``, or "" if it does.

    ``key`` is the hex secret of token authentication. ``path`` is the path of the URL with its leading slash. ``now``
    is in seconds since the epoch.
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
    """Return whether a token that is valid for a request also covers ``path``.

    A token with an ACL covers what the ACL does. A token for one URL covers everything that this URL reads.
    """
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
    """Return whether ``acl``, in which each ``*`` matches any text, covers ``path``. It takes linear time."""
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
