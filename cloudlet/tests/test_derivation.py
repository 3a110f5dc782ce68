"""Derived files: rendered once for simultaneous requests, deleted with their original, in a cache of limited size."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pictures import halves, picture

from cloudlet.assets.derivation import Renderer
from cloudlet.assets.layer_loader import signed_call
from cloudlet.config import Settings
from cloudlet.errors import ApiError
from cloudlet.model import Asset, Derived, now_iso
from cloudlet.store import Store, Transaction, assets
from cloudlet.transformations import parse

pytestmark = pytest.mark.integration


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def renderer(store: Store, tmp_path: Path) -> Renderer:
    return Renderer(Settings(data=tmp_path, api_secret="test"), store)


def put(store: Store, content: bytes, public_id: str = "photo") -> Asset:
    """Store or overwrite an image, as an upload does."""
    staged = store.blobs.stage_bytes(content)
    asset = Asset(resource_type="image", type="upload", public_id=public_id, format="png", bytes=staged.size)
    asset.etag, asset.created_at = staged.md5, now_iso()

    def job(transaction: Transaction, blob: str) -> Asset:
        existing = assets.find(transaction.connection, *asset.key)
        if existing is not None:
            assets.retire_bytes(transaction, existing)
            asset.asset_id = existing.asset_id
        asset.blob, asset.version = (
            blob,
            assets.next_version(transaction, asset.key, existing.version if existing else 0),
        )
        return assets.save(transaction, asset)

    return store.write_blob(staged, job)


def wait_until_deleted(path: Path) -> None:
    """Wait for a file to disappear: files are deleted after the commit."""
    deadline = time.monotonic() + 5
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.01)


def test_simultaneous_requests_share_one_rendering(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())

    async def ask() -> list[Derived]:
        return await asyncio.gather(*(renderer.derived(asset, parse("w_20"), "png", signed_call) for _ in range(8)))

    assert len({derived.blob for derived in asyncio.run(ask())}) == 1


def test_second_request_gets_the_stored_file(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())
    first, second = (asyncio.run(renderer.derived(asset, parse("w_20"), "png", signed_call)) for _ in range(2))
    assert first.id == second.id
    other = asyncio.run(renderer.derived(asset, parse("w_20"), "jpg", signed_call))
    assert other.id != first.id


def test_overwrite_deletes_derived_files(store: Store, renderer: Renderer) -> None:
    old = put(store, picture())
    stale = asyncio.run(renderer.derived(old, parse("w_20"), "png", signed_call))
    new = put(store, halves())
    wait_until_deleted(store.path(stale))
    assert store.get_derived(new, "w_20", "png") is None


def test_derived_file_of_a_stale_asset_is_not_stored(store: Store, renderer: Renderer) -> None:
    old = put(store, picture())
    put(store, halves())
    with pytest.raises(ApiError) as caught:
        asyncio.run(renderer.derived(old, parse("w_20"), "png", signed_call))
    assert caught.value.status == 404
    assert store.reader.execute("SELECT count(*) FROM derived").fetchone()[0] == 0


def test_errors_are_not_cached(store: Store, renderer: Renderer) -> None:
    asset = put(store, b"not a picture")
    for _ in range(2):
        with pytest.raises(ApiError, match="not a readable image"):
            asyncio.run(renderer.derived(asset, parse("w_20"), "png", signed_call))


def test_trimming_the_cache_deletes_the_oldest_files(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())
    made = [asyncio.run(renderer.derived(asset, parse(f"w_{width}"), "png", signed_call)) for width in (30, 31, 32, 33)]
    newest = made[-1].bytes + made[-2].bytes
    assert store.trim_derived(newest) == 2
    for derived in made[:2]:
        wait_until_deleted(store.path(derived))
    assert all(store.path(derived).exists() for derived in made[2:])
    assert store.trim_derived(newest) == 0
    again = asyncio.run(renderer.derived(asset, parse("w_30"), "png", signed_call))
    assert store.path(again).exists()
