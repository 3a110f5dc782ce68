"""Tell the paths of the Upload API, of other APIs and of delivery apart."""

import re

from cloudlet.model import RESOURCE_TYPES

OWN_PREFIX = "/_cloudlet/"
CONSOLE_PREFIX = f"{OWN_PREFIX}console/"
API_PREFIXES = ("/v1_1/", "/v2/", OWN_PREFIX)
UPLOAD_RESOURCE_TYPES = (*RESOURCE_TYPES, "auto", "all")
_ACTIONS = (
    "upload", "destroy", "explicit", "rename", "tags", "context", "metadata", "explode", "text", "sprite", "multi",
    "generate_archive", "delete_by_token",
)  # fmt: skip
_UPLOAD = re.compile(rf"/v1_1/[^/]+/(?:(?:{'|'.join(UPLOAD_RESOURCE_TYPES)})/)?({'|'.join(_ACTIONS)})")


def upload_action(path: str) -> str | None:
    """Return the action of an Upload API path `/v1_1/{cloud}/[{resource_type}/]{action}`, or None for other paths."""
    match = _UPLOAD.fullmatch(path)
    return match[1] if match else None


def is_delivery(path: str) -> bool:
    """Return whether a path belongs to delivery, and neither to an API nor to the console."""
    return path != "/" and not path.startswith(API_PREFIXES)
