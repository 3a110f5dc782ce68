"""The pictures that transformations lay over and under others: assets of the cloud, or fetched from an address."""

from collections.abc import Callable

from cloudlet.assets.fetched_assets import store_remote
from cloudlet.config import Settings
from cloudlet.errors import ApiError, bad_request, not_found
from cloudlet.model import Asset
from cloudlet.store import Store
from cloudlet.transformations import ImageLayer, MissingLayerError, Transformation

Authorise = Callable[[ImageLayer, Asset | None], None]
"""Raises ApiError unless the caller may read a layer. Asked with None before the layer is looked up."""


def signed_call(layer: ImageLayer, asset: Asset | None) -> None:
    """Authorise every layer: the call was signed with the API secret, or its preset was made by one that was."""


class LayerLoader:
    """Finds and loads them. What has to be fetched is brought before rendering, which cannot wait for a network."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    async def bring(self, transformation: Transformation, authorise: Authorise) -> list[Asset]:
        """Return the assets of all layers. Raises ApiError for one that is missing or that `authorise` refuses."""
        found = []
        for layer in transformation.layers:
            authorise(layer, None)
            asset = self._stored(layer)
            if asset is None and layer.delivery_type == "fetch":
                asset = await self._fetched(layer)
            asset = asset or self.find(layer)
            authorise(layer, asset)
            found.append(asset)
        return found

    async def _fetched(self, layer: ImageLayer) -> Asset:
        key = "image", layer.delivery_type, layer.public_id
        try:
            return await store_remote(self._settings, self._store, key, layer.public_id)
        except ApiError as error:
            raise bad_request(error.message) from error

    def find(self, layer: ImageLayer) -> Asset:
        """Raises ApiError 404 when it is not there."""
        asset = self._stored(layer)
        if asset is None:
            raise not_found(str(MissingLayerError(layer.public_id, layer.delivery_type)))
        return asset

    def _stored(self, layer: ImageLayer) -> Asset | None:
        """An overlay is named with or without its extension, an address as it is."""
        names = [layer.public_id]
        stem, _, extension = layer.public_id.rpartition(".")
        if stem and "/" not in extension and layer.delivery_type != "fetch":
            names.append(stem)
        for public_id in names:
            asset = self._store.get("image", layer.delivery_type, public_id)
            if asset is not None and not asset.placeholder:
                return asset
        return None
