"""Create the objects that every Cloudinary account has from the start, so that clients can rely on them."""

from cloudlet.assets import named_transformations, upload_presets
from cloudlet.ids import random_id
from cloudlet.model import Json, now_iso
from cloudlet.store import Store, Transaction, documents

THUMBNAIL = "media_lib_thumb"
_THUMBNAIL_DEFINITION = "c_limit,h_200,w_300"
_CREATED_KIND = "default"
"""The kind of the documents that record what was created, so that a restart does not recreate what was deleted."""


def ensure(store: Store) -> None:
    """Create the default named transformation and upload preset, once for each data folder."""
    store.write(_ensure)


def _ensure(transaction: Transaction) -> None:
    thumbnail = named_transformations.record(THUMBNAIL, _THUMBNAIL_DEFINITION, named=True, allowed_for_strict=True)
    preset = {
        "name": upload_presets.DEFAULT, "external_id": random_id(32), "unsigned": False, "settings": {},
        "created_at": now_iso(),
    }  # fmt: skip
    for kind, name, body in (
        (named_transformations.KIND, THUMBNAIL, thumbnail),
        (upload_presets.KIND, upload_presets.DEFAULT, preset),
    ):
        _create_once(transaction, kind, name, body)


def _create_once(transaction: Transaction, kind: str, name: str, body: dict[str, Json]) -> None:
    mark = f"{kind}/{name}"
    if documents.find(transaction.connection, _CREATED_KIND, mark) is not None:
        return
    documents.save(transaction, _CREATED_KIND, mark, {})
    if documents.find(transaction.connection, kind, name) is None:
        documents.save(transaction, kind, name, body)
