"""Write assets as JSON for the responses of both APIs."""

from collections.abc import Collection

from cloudlet.assets.delivery_urls import delivery_url, without_tls
from cloudlet.config import Settings
from cloudlet.model import Asset, Derived, Json, folder_of
from cloudlet.signing import response_signature

ANALYSIS_FIELDS = (
    "faces",
    "coordinates",
    "colors",
    "predominant",
    "image_metadata",
    "media_metadata",
    "exif",
    "phash",
    "quality_analysis",
    "quality_score",
    "accessibility_analysis",
    "cinemagraph_analysis",
    "responsive_breakpoints",
    "info",
)


class Presenter:
    """Writes assets with URLs that start with ``base``, by which the client reaches the server."""

    def __init__(self, settings: Settings, base: str) -> None:
        self.settings = settings
        self.base = base

    def urls(self, asset: Asset, *, transformation: str = "", format_: str | None = None) -> dict[str, str]:
        """Return ``url`` and ``secure_url`` of an asset or a derived file."""
        url = delivery_url(self.base, self.settings, asset, transformation=transformation, format_=format_)
        return {"url": without_tls(url), "secure_url": url}

    def _folder_fields(self, asset: Asset) -> dict[str, Json]:
        if self.settings.folder_mode == "dynamic":
            return {"asset_folder": asset.asset_folder, "display_name": asset.display_name}
        return {"folder": folder_of(asset.public_id)}

    @staticmethod
    def _identity(asset: Asset) -> dict[str, Json]:
        fields: dict[str, Json] = {"asset_id": asset.asset_id, "public_id": asset.public_id}
        if asset.format:
            fields["format"] = asset.format
        fields.update(version=asset.version, resource_type=asset.resource_type, type=asset.type)
        return fields

    @staticmethod
    def _dimensions(asset: Asset) -> dict[str, Json]:
        sizes = {"width": asset.width, "height": asset.height, "pages": asset.pages, "duration": asset.duration}
        known = {name: value for name, value in sizes.items() if value is not None}
        return {**known, **asset.extra.get("video", {})}

    def uploaded(self, asset: Asset) -> dict[str, Json]:
        """Return the response of upload, explicit and rename."""
        answer = {
            **self._identity(asset),
            "version_id": asset.version_id,
            "signature": response_signature(asset.public_id, asset.version, self.settings.api_secret),
            **self._dimensions(asset),
            "created_at": asset.created_at,
            "tags": asset.tags,
            "bytes": asset.bytes,
            "etag": asset.etag,
            "placeholder": asset.placeholder,
            **self.urls(asset),
            **self._folder_fields(asset),
            "access_mode": asset.access_mode,
            "original_filename": asset.original_filename,
        }
        if asset.context:
            answer["context"] = {"custom": asset.context}
        answer.update(self._optional(asset))
        return answer

    def _optional(self, asset: Asset) -> dict[str, Json]:
        answer: dict[str, Json] = {}
        if asset.metadata:
            answer["metadata"] = asset.metadata
        if asset.access_control:
            answer["access_control"] = asset.access_control
        if asset.moderation:
            answer["moderation"] = asset.moderation
        return answer

    def listed(self, asset: Asset, include: Collection[str] = ()) -> dict[str, Json]:
        """Return an entry of a listing. ``include`` may name tags, context, metadata and moderations."""
        answer = {
            **self._identity(asset),
            "created_at": asset.created_at,
            "bytes": asset.bytes,
            **self._dimensions(asset),
            **self._folder_fields(asset),
            "access_mode": asset.access_mode,
            **self.urls(asset),
        }
        if asset.placeholder:
            answer["placeholder"] = True
        if asset.access_control:
            answer["access_control"] = asset.access_control
        if "tags" in include:
            answer["tags"] = asset.tags
        if "context" in include and asset.context:
            answer["context"] = {"custom": asset.context}
        if "metadata" in include and asset.metadata:
            answer["metadata"] = asset.metadata
        if "moderations" in include:
            answer["moderation"] = asset.moderation
        return answer

    def detailed(self, asset: Asset, include: Collection[str] = ()) -> dict[str, Json]:
        """Return the Admin API's response for one asset, without its derived files. ``include`` names analyses."""
        answer = self.listed(asset)
        answer.update(
            backup=asset.backup,
            etag=asset.etag,
            original_filename=asset.original_filename,
            last_updated={"updated_at": asset.updated_at},
        )
        if asset.tags:
            answer["tags"] = asset.tags
        if asset.context:
            answer["context"] = {"custom": asset.context}
        answer.update(self._optional(asset))
        answer.update(self.analyses(asset, include))
        return answer

    @staticmethod
    def analyses(asset: Asset, wanted: Collection[str]) -> dict[str, Json]:
        """Return the requested analysis fields that the asset has. ``colors`` includes ``predominant``."""
        names = {*wanted, "predominant"} if "colors" in wanted else set(wanted)
        return {name: asset.extra[name] for name in ANALYSIS_FIELDS if name in asset.extra and name in names}

    def derived(self, asset: Asset, file: Derived) -> dict[str, Json]:
        """Return an entry of the list of derived files of an asset."""
        return {
            "transformation": file.transformation,
            "format": file.format,
            "bytes": file.bytes,
            "id": file.id,
            **self.urls(asset, transformation=file.transformation, format_=file.format),
        }
