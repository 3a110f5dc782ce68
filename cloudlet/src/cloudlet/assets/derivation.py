"""Derived files. They are made once per version of an asset, off the event loop and with bounded concurrency."""

import asyncio
import functools
import os
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from cloudlet import pictures
from cloudlet.assets.layer_loader import Authorise, LayerLoader
from cloudlet.config import Settings
from cloudlet.errors import not_found
from cloudlet.model import Asset, Derived
from cloudlet.pictures import CpuBudget, Source
from cloudlet.store import Store
from cloudlet.transformations import AssetFacts, ImageLayer, Limits, Rendered, Transformation

MAX_DERIVED_BYTES = 1024**3
TRIM_EVERY = 64
"""After this many new derived files, the oldest are deleted down to `MAX_DERIVED_BYTES`."""

_Key = tuple[str, int, str, str]


class Renderer:
    """Makes derived files. Concurrent requests for the same file share one rendering (single flight)."""

    def __init__(self, settings: Settings, store: Store, workers: int | None = None) -> None:
        self._store = store
        self.layers = LayerLoader(settings, store)
        self.limits = Limits(settings.max_pixels, settings.max_derived_pixels)
        self._slots = asyncio.Semaphore(workers or max(2, os.cpu_count() or 2))
        self._running: dict[_Key, asyncio.Task[Derived]] = {}
        self._made = 0

    async def derived(
        self,
        asset: Asset,
        transformation: Transformation,
        format_name: str,
        authorise: Authorise,
        budget: CpuBudget | None = None,
    ) -> Derived:
        """Return the derived file from the cache, or make it.

        `authorise` decides which layers the caller may read, and is also called for a cached file. Raises ApiError 400
        if the file cannot be made, and 404 if the asset or a layer does not exist any more.
        """
        layers = await self.layers.resolve(transformation, authorise)
        cached = self._store.get_derived(asset, transformation.text, format_name)
        sources = [*layers, asset] if transformation.depends_on_asset else layers
        if cached and all(source.updated_at < cached.created_at for source in sources):
            return cached
        key = (asset.asset_id, asset.version, transformation.text, format_name)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._make(asset, transformation, format_name, layers, budget))
            self._running[key] = task
            task.add_done_callback(functools.partial(self._finished, key))
        return await asyncio.shield(task)

    def _finished(self, key: _Key, task: "asyncio.Task[Derived]") -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the client may have disconnected, and asyncio would log it

    async def _make(
        self,
        asset: Asset,
        transformation: Transformation,
        format_name: str,
        layers: Sequence[Asset],
        budget: CpuBudget | None,
    ) -> Derived:
        rendered = await self._render(asset, transformation, format_name, layers, budget)
        derived = await run_in_threadpool(self._store_derived, asset, transformation, format_name, rendered)
        self._made += 1
        if self._made % TRIM_EVERY == 0:
            await run_in_threadpool(self._store.trim_derived, MAX_DERIVED_BYTES)
        return derived

    async def preview(self, asset: Asset, transformation: Transformation, format_name: str) -> Rendered:
        """Do what :meth:`derived` does without the cache, for a transformation without layers."""
        return await self._render(asset, transformation, format_name, (), None)

    async def transform(
        self,
        source: Source,
        transformation: Transformation,
        format_name: str,
        *,
        authorise: Authorise,
        budget: CpuBudget,
    ) -> Rendered:
        """Transform an image that is not stored as an asset. Raises ApiError 400 or 404 like :meth:`derived`."""
        layers = await self.layers.resolve(transformation, authorise)
        return await self._render_source(source, transformation, format_name, layers, None, budget)

    async def _render(
        self,
        asset: Asset,
        transformation: Transformation,
        format_name: str,
        layers: Sequence[Asset],
        budget: CpuBudget | None,
    ) -> Rendered:
        source = self._store.path(asset)
        return await self._render_source(source, transformation, format_name, layers, _facts_of(asset), budget)

    async def _render_source(
        self,
        source: Source,
        transformation: Transformation,
        format_name: str,
        layers: Sequence[Asset],
        facts: AssetFacts | None,
        budget: CpuBudget | None,
    ) -> Rendered:
        """Render with exactly the layers that were authorised, even if they are overwritten meanwhile (TOCTOU)."""
        files: dict[ImageLayer, Source] = {
            layer: self._store.path(asset) for layer, asset in zip(transformation.layers, layers, strict=True)
        }
        make = functools.partial(
            pictures.transform, source, transformation, format_name,
            layers=files, limits=self.limits, facts=facts, budget=budget,
        )  # fmt: skip
        async with self._slots:
            return await run_in_threadpool(make)

    def _store_derived(
        self, asset: Asset, transformation: Transformation, format_name: str, rendered: Rendered
    ) -> Derived:
        derived = self._store.put_derived(
            asset,
            transformation.text,
            format_name,
            rendered.content,
            width=rendered.width,
            height=rendered.height,
        )
        if derived is None:
            raise not_found(f"Resource not found - {asset.public_id} was replaced while it was being transformed")
        return derived


def _facts_of(asset: Asset) -> AssetFacts:
    """Return the facts for conditions and variables. Only faces whose coordinates were uploaded are counted."""
    faces = len(asset.extra.get("faces") or ())
    return AssetFacts(asset.pages or 1, faces, tuple(asset.tags), asset.context, asset.metadata)
