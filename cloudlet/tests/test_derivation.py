"""Derived files: one rendering for many requests, nothing kept for what changed, and a bounded cache."""

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
    """Stores or overwrites an image, as an upload does."""
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


def wait_until_gone(path: Path) -> None:
    """Bytes are removed after the index has answered."""
    deadline = time.monotonic() + 5
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.01)


def test_requests_for_the_same_file_share_one_rendering(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())

    async def ask() -> list[Derived]:
        return await asyncio.gather(*(renderer.derived(asset, parse("w_20"), "png", signed_call) for _ in range(8)))

    assert len({derived.blob for derived in asyncio.run(ask())}) == 1


def test_a_second_request_finds_the_first_ones_file(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())
    first, second = (asyncio.run(renderer.derived(asset, parse("w_20"), "png", signed_call)) for _ in range(2))
    assert first.id == second.id
    other = asyncio.run(renderer.derived(asset, parse("w_20"), "jpg", signed_call))
    assert other.id != first.id


def test_an_overwrite_forgets_derived_files_and_their_bytes(store: Store, renderer: Renderer) -> None:
    old = put(store, picture())
    stale = asyncio.run(renderer.derived(old, parse("w_20"), "png", signed_call))
    new = put(store, halves())
    wait_until_gone(store.path(stale))
    assert store.get_derived(new, "w_20", "png") is None


def test_nothing_is_kept_of_an_asset_that_changed_meanwhile(store: Store, renderer: Renderer) -> None:
    old = put(store, picture())
    put(store, halves())
    with pytest.raises(ApiError) as caught:
        asyncio.run(renderer.derived(old, parse("w_20"), "png", signed_call))
    assert caught.value.status == 404
    assert store.reader.execute("SELECT count(*) FROM derived").fetchone()[0] == 0


def test_errors_say_what_is_wrong_and_are_not_remembered(store: Store, renderer: Renderer) -> None:
    asset = put(store, b"not a picture")
    for _ in range(2):
        with pytest.raises(ApiError, match="not a readable image"):
            asyncio.run(renderer.derived(asset, parse("w_20"), "png", signed_call))


def test_the_cache_is_bounded_and_the_oldest_go_first(store: Store, renderer: Renderer) -> None:
    asset = put(store, picture())
    made = [asyncio.run(renderer.derived(asset, parse(f"w_{width}"), "png", signed_call)) for width in (30, 31, 32, 33)]
    newest = made[-1].bytes + made[-2].bytes
    assert store.trim_derived(newest) == 2
    for derived in made[:2]:
        wait_until_gone(store.path(derived))
    assert all(store.path(derived).exists() for derived in made[2:])
    assert store.trim_derived(newest) == 0
    again = asyncio.run(renderer.derived(asset, parse("w_30"), "png", signed_call))
    assert store.path(again).exists()
