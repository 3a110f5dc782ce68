"""Load the layers of transformations: assets of this cloud, or images fetched from a URL."""

from collections.abc import Callable

from cloudlet.assets.fetched_assets import store_remote
from cloudlet.config import Settings
from cloudlet.errors import ApiError, bad_request, not_found
from cloudlet.model import Asset
from cloudlet.store import Store
from cloudlet.transformations import ImageLayer, MissingLayerError, Transformation

Authorise = Callable[[ImageLayer, Asset | None], None]
"""Raise ApiError unless the caller may read a layer. It is called with None before the layer is looked up."""


def signed_call(layer: ImageLayer, asset: Asset | None) -> None:
    """Authorise all layers, for a call that is signed with the API secret or uses a preset that such a call made."""


class LayerLoader:
    """Finds layers, and fetches remote ones before the rendering starts, which must not wait for the network."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    async def resolve(self, transformation: Transformation, authorise: Authorise) -> list[Asset]:
        """Return the assets of all layers, in order. Raises ApiError if one is missing or `authorise` refuses it."""
        found = []
        for layer in transformation.layers:
            authorise(layer, None)
            asset = self._find(layer)
            if asset is None and layer.delivery_type == "fetch":
                asset = await self._fetch(layer)
            asset = asset or self.find(layer)
            authorise(layer, asset)
            found.append(asset)
        return found

    async def _fetch(self, layer: ImageLayer) -> Asset:
        key = "image", layer.delivery_type, layer.public_id
        try:
            return await store_remote(self._settings, self._store, key, layer.public_id)
        except ApiError as error:
            raise bad_request(error.message) from error

    def find(self, layer: ImageLayer) -> Asset:
        """Return the asset of a layer. Raises ApiError 404 if it does not exist."""
        asset = self._find(layer)
        if asset is None:
            raise not_found(str(MissingLayerError(layer.public_id, layer.delivery_type)))
        return asset

    def _find(self, layer: ImageLayer) -> Asset | None:
        """Return the asset of a layer or None. The name of an overlay may have an extension, a URL must match."""
        names = [layer.public_id]
        stem, _, extension = layer.public_id.rpartition(".")
        if stem and "/" not in extension and layer.delivery_type != "fetch":
            names.append(stem)
        for public_id in names:
            asset = self._store.get("image", layer.delivery_type, public_id)
            if asset is not None and not asset.placeholder:
                return asset
        return None
