"""One path, many spellings: clients and proxies escape and unescape what they forward, and a signature covers text.

All spellings of a text decode to the same, so that a signature for one of them is one for what they mean.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote

from cloudlet.assets.delivery_urls import escape_source

_IN_CHAINS = "/:,-_.~!$&'()*+;=@"


def of_source(raw: str) -> tuple[str, ...]:
    """Return the spellings of a public id or address: as received, decoded, and as the SDKs escape it."""
    decoded = unquote(raw)
    return _distinct(raw, decoded, escape_source(decoded), escape_source(decoded).replace("%7E", "~"))


def of_chain(raw: str) -> tuple[str, ...]:
    """Return the spellings of a chain of transformations, which the SDKs sign as it stands in the URL."""
    decoded = unquote(raw)
    escaped = quote(decoded, safe=_IN_CHAINS)
    return _distinct(raw, decoded, escaped, escaped.replace("~", "%7E"))


def signed_texts(chain: str, source: str) -> Iterator[str]:
    """Yield what a signature for a chain and a source, as received, may have been made of."""
    for first in of_chain(chain):
        for second in of_source(source):
            yield f"{first}/{second}" if first else second


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
