"""Store files from remote URLs, whose hosts must be on the allow-list."""

import asyncio

from cloudlet.config import Settings
from cloudlet.errors import ApiError, not_found, unauthorized
from cloudlet.media.file_info import inspect
from cloudlet.model import Asset, folder_of, now_iso
from cloudlet.network import remote_files
from cloudlet.store import Store, Transaction, assets


async def store_remote(settings: Settings, store: Store, key: tuple[str, str, str], url: str) -> Asset:
    """Fetch ``url`` and store it as the asset ``key``: resource type, type and public id.

    Raises ApiError 401 if the host is not allowed, 404 if the file cannot be fetched, and 400 if it is invalid.
    """
    try:
        blob, _ = await remote_files.fetch(
            url, allowed=settings.remote_hosts, max_bytes=settings.max_upload_bytes, stage=store.stage
        )
    except remote_files.RefusedSourceError as error:
        raise unauthorized(error.message) from error
    except ApiError as error:
        raise not_found(error.message) from error
    try:
        info = await asyncio.to_thread(inspect, blob, key[0], settings.max_pixels)
    except ApiError:
        blob.discard()
        raise
    asset = Asset(
        resource_type=key[0], type=key[1], public_id=key[2], format=info.format, bytes=blob.size, etag=blob.md5,
        width=info.width, height=info.height, pages=info.pages, duration=info.duration, created_at=now_iso(),
        extra={"video": info.video} if info.video else {},
        asset_folder="" if key[1] == "fetch" else folder_of(key[2]), display_name=key[2].rpartition("/")[2],
    )  # fmt: skip

    def job(transaction: Transaction, blob_name: str) -> Asset:
        return assets.put(transaction, asset, blob_name, overwrite=False).asset

    return await store.write_blob_async(blob, job)
