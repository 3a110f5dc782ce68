"""Operations that the endpoints of the Upload API share: save assets, make eager files, send notifications."""

import dataclasses
from collections.abc import Mapping

from cloudlet.assets.background import run_in_background
from cloudlet.assets.derivation import Renderer
from cloudlet.assets.eager import EagerItem, refuse_change
from cloudlet.assets.formats import made_format, needs_rendering
from cloudlet.assets.layer_loader import signed_call
from cloudlet.assets.presenter import Presenter
from cloudlet.errors import ApiError, bad_request
from cloudlet.ids import random_id
from cloudlet.model import Asset, Derived, Json, now_iso
from cloudlet.network.webhooks import Webhooks
from cloudlet.pictures import CpuBudget
from cloudlet.staging import StagedBlob
from cloudlet.store import Store, Transaction, assets
from cloudlet.store.assets import Stored
from cloudlet.structured_metadata import values as metadata_values
from cloudlet.web.params import Params


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssetService:
    """Operations on assets for one call, with its parameters and its CPU budget."""

    store: Store
    renderer: Renderer
    webhooks: Webhooks
    presenter: Presenter
    params: Params
    budget: CpuBudget

    async def save(self, blob: StagedBlob, asset: Asset, metadata: Mapping[str, Json], *, overwrite: bool) -> Stored:
        """Store the asset durably. Concurrent uploads of one id are serialised, and the last one wins.

        Raises ApiError 400 if ``metadata`` violates the definitions of the structured metadata fields.
        """

        def describe(transaction: Transaction, new: Asset) -> None:
            new.metadata = metadata_values.for_new_asset(transaction.connection, metadata)

        def job(transaction: Transaction, blob_name: str) -> Stored:
            return assets.put(transaction, asset, blob_name, overwrite=overwrite, complete=describe)

        return await self.store.write_blob_async(blob, job)

    async def add_eager(self, asset: Asset, items: list[EagerItem], answer: dict[str, Json]) -> None:
        """Make the eager files and add the ``eager`` field to ``answer``. With ``eager_async``, make them later."""
        if not items:
            return
        if not self.params.flag("eager_async"):
            answer["eager"] = await self.derive(asset, items)
            return
        answer["eager"] = self._pending(asset, items)
        answer["batch_id"] = self.params.text("batch_id") or random_id(32)

        async def work() -> None:
            made = await self.derive(asset, items)
            body = {"notification_type": "eager", "batch_id": answer["batch_id"], "public_id": asset.public_id}
            url = self.params.text("eager_notification_url") or self.params.text("notification_url")
            self.webhooks.notify(url, {**body, "asset_id": asset.asset_id, "eager": made})

        run_in_background(work())

    async def derive(self, asset: Asset, items: list[EagerItem]) -> list[dict[str, Json]]:
        """Make the derived files and return the ``eager`` field. A failed item contains its reason."""
        return [await self._derive_one(asset, item) for item in items]

    async def _derive_one(self, asset: Asset, item: EagerItem) -> dict[str, Json]:
        format_ = item.transformation.format or item.format
        format_ = made_format(asset.format, item.transformation, "" if format_ == "auto" else format_)
        fields: dict[str, Json] = {"transformation": item.text}
        urls = self._urls(asset, item)
        try:
            derived = await self._derived(asset, item, format_)
        except ApiError as error:
            return {**fields, "status": "failed", "reason": error.message, **urls}
        sizes = {"width": derived.width, "height": derived.height}
        fields.update({name: size for name, size in sizes.items() if size is not None})
        return {**fields, "bytes": derived.bytes, "format": derived.format, **urls}

    async def _derived(self, asset: Asset, item: EagerItem, format_: str) -> Derived | Asset:
        if item.problem:
            raise bad_request(item.problem)
        if asset.resource_type != "image":
            refuse_change(asset.resource_type, asset.format, item.transformation, item.format)
            return asset
        if not needs_rendering(asset, item.transformation, format_):
            raise bad_request(f"{item.text} changes nothing about this asset")
        return await self.renderer.derived(asset, item.transformation, format_, signed_call, self.budget)

    def _pending(self, asset: Asset, items: list[EagerItem]) -> list[dict[str, Json]]:
        """Return the ``eager`` field of a call with ``eager_async``."""
        return [{"transformation": item.text, "status": "processing", **self._urls(asset, item)} for item in items]

    def _urls(self, asset: Asset, item: EagerItem) -> dict[str, str]:
        return self.presenter.urls(asset, transformation=item.text, format_=item.format or asset.format)

    def notify(self, body: dict[str, Json]) -> None:
        """Send a notification to the call's ``notification_url``, if any, and to all triggers for it."""
        batch = {"batch_id": self.params.text("batch_id")} if "batch_id" in self.params else {}
        self.webhooks.notify(self.params.text("notification_url"), {"timestamp": now_iso(), **batch, **body})
