"""The percent-encoded variants of a path. A signature covers text, but clients and proxies may change its escaping.

All variants decode to the same text, so a signature for one of them is valid for all.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote

from cloudlet.assets.delivery_urls import escape_source

_IN_CHAINS = "/:,-_.~!$&'()*+;=@"


def source_variants(raw: str) -> tuple[str, ...]:
    """Return the variants of a public id or URL: as received, decoded, and as the SDKs escape it."""
    decoded = unquote(raw)
    return _distinct(raw, decoded, escape_source(decoded), escape_source(decoded).replace("%7E", "~"))


def chain_variants(raw: str) -> tuple[str, ...]:
    """Return the variants of a chain of transformations, which the SDKs sign as it is in the URL."""
    decoded = unquote(raw)
    escaped = quote(decoded, safe=_IN_CHAINS)
    return _distinct(raw, decoded, escaped, escaped.replace("~", "%7E"))


def signed_text_variants(chain: str, source: str) -> Iterator[str]:
    """Yield the texts that a signature may have been made for, given a chain and a source as received."""
    for first in chain_variants(chain):
        for second in source_variants(source):
            yield f"{first}/{second}" if first else second


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
