"""The routes of the Admin API, in the order in which they are matched."""

from functools import partial

from starlette.routing import BaseRoute, Route

from cloudlet.admin_api import (
    account,
    deletion,
    details,
    folders,
    listing,
    metadata_fields,
    presets,
    publishing,
    related,
    restoring,
    search,
    streaming_profiles,
    transformations,
    triggers,
)
from cloudlet.admin_api.admin_call import endpoint
from cloudlet.model import RESOURCE_TYPES

_ASSET = "resources/{resource_type}/{type}/{public_id:path}"
_BY_TYPE = "resources/{resource_type}/{type}"
_FIELD = "metadata_fields/{external_id}"
_RELATED = "resources/related_assets/{resource_type}/{type}/{public_id:path}"

routes: list[BaseRoute] = [
    endpoint("GET", "ping", account.ping),
    endpoint("GET", "config", account.config),
    endpoint("GET", "usage", account.usage),
    endpoint("GET", "usage/{date}", account.usage),
    # Finding assets
    endpoint("GET", "resources", account.resource_types),
    endpoint("GET", "resources/search", search.search),
    endpoint("POST", "resources/search", search.search),
    endpoint("GET", "resources/by_asset_ids", listing.by_asset_ids),
    endpoint("GET", "resources/by_asset_folder", listing.by_asset_folder),
    endpoint("GET", "resources/{resource_type}/tags/{tag:path}", listing.by_tag),
    endpoint("GET", "resources/{resource_type}/context", listing.by_context),
    endpoint("GET", "resources/{resource_type}/moderations/{kind}/{status}", listing.by_moderation),
    *[endpoint("GET", f"resources/{name}", partial(listing.resources, resource_type=name)) for name in RESOURCE_TYPES],
    endpoint("GET", "resources/{asset_id}", details.show_by_asset_id),
    endpoint("GET", _BY_TYPE, listing.resources),
    endpoint("GET", "tags/{resource_type}", listing.tags),
    # Deleting and restoring assets
    endpoint("DELETE", "resources", deletion.by_asset_ids),
    endpoint("DELETE", "resources/backup/{asset_id}", restoring.delete_backups),
    endpoint("DELETE", "resources/{resource_type}/tags/{tag:path}", deletion.by_tag),
    endpoint("DELETE", "derived_resources", deletion.derived_resources),
    endpoint("POST", "resources/restore", restoring.restore_by_asset_ids),
    endpoint("POST", _BY_TYPE + "/restore", restoring.restore),
    # Related assets
    endpoint("POST", "resources/related_assets/{asset_id}", related.add),
    endpoint("DELETE", "resources/related_assets/{asset_id}", related.remove),
    endpoint("POST", _RELATED, related.add),
    endpoint("DELETE", _RELATED, related.remove),
    endpoint("DELETE", _BY_TYPE, deletion.by_type),
    # Showing and changing assets
    endpoint("POST", "resources/{resource_type}/publish_resources", publishing.publish),
    endpoint("POST", _BY_TYPE + "/update_access_mode", publishing.update_access_mode),
    endpoint("GET", _ASSET, details.show),
    endpoint("POST", _ASSET, details.update),
    # Folders
    endpoint("GET", "folders", folders.root),
    endpoint("GET", "folders/search", search.search_folders),
    endpoint("POST", "folders/search", search.search_folders),
    endpoint("GET", "folders/{path:path}", folders.subfolders),
    endpoint("POST", "folders/{path:path}", folders.create),
    endpoint("PUT", "folders/{path:path}", folders.rename),
    endpoint("DELETE", "folders/{path:path}", folders.delete),
    # Upload presets and mappings
    endpoint("GET", "upload_presets", presets.list_presets),
    endpoint("POST", "upload_presets", presets.create_preset),
    endpoint("GET", "upload_presets/{name}", presets.get_preset),
    endpoint("PUT", "upload_presets/{name}", presets.update_preset),
    endpoint("DELETE", "upload_presets/{name}", presets.delete_preset),
    endpoint("GET", "upload_mappings", presets.mappings),
    endpoint("POST", "upload_mappings", presets.create_mapping),
    endpoint("PUT", "upload_mappings", presets.update_mapping),
    endpoint("DELETE", "upload_mappings", presets.delete_mapping),
    # Transformations
    endpoint("GET", "transformations", transformations.list_or_show),
    endpoint("POST", "transformations", transformations.create),
    endpoint("PUT", "transformations", transformations.update),
    endpoint("DELETE", "transformations", transformations.delete),
    endpoint("GET", "transformations/{name:path}", transformations.show),
    endpoint("POST", "transformations/{name:path}", transformations.create),
    endpoint("PUT", "transformations/{name:path}", transformations.update),
    endpoint("DELETE", "transformations/{name:path}", transformations.delete),
    endpoint("GET", "streaming_profiles", streaming_profiles.list_profiles),
    endpoint("POST", "streaming_profiles", streaming_profiles.create),
    endpoint("GET", "streaming_profiles/{name}", streaming_profiles.show),
    endpoint("PUT", "streaming_profiles/{name}", streaming_profiles.update),
    endpoint("DELETE", "streaming_profiles/{name}", streaming_profiles.delete),
    # Structured metadata
    endpoint("GET", "metadata_fields", metadata_fields.list_fields),
    endpoint("POST", "metadata_fields", metadata_fields.add_field),
    endpoint("PUT", "metadata_fields/order", metadata_fields.order_fields),
    endpoint("GET", "metadata_fields/datasource/search", metadata_fields.search_datasources),
    endpoint("GET", _FIELD, metadata_fields.get_field),
    endpoint("PUT", _FIELD, metadata_fields.update_field),
    endpoint("DELETE", _FIELD, metadata_fields.delete_field),
    endpoint("PUT", _FIELD + "/datasource", metadata_fields.update_datasource),
    endpoint("DELETE", _FIELD + "/datasource", metadata_fields.delete_entries),
    endpoint("POST", _FIELD + "/datasource_restore", metadata_fields.restore_entries),
    endpoint("POST", _FIELD + "/datasource/order", metadata_fields.order_datasource),
    endpoint("GET", "metadata_rules", metadata_fields.list_rules),
    endpoint("POST", "metadata_rules", metadata_fields.add_rule),
    endpoint("PUT", "metadata_rules/{external_id}", metadata_fields.update_rule),
    endpoint("DELETE", "metadata_rules/{external_id}", metadata_fields.delete_rule),
    # Notifications
    endpoint("GET", "triggers", triggers.list_triggers),
    endpoint("POST", "triggers", triggers.create),
    endpoint("PUT", "triggers/{id}", triggers.update),
    endpoint("DELETE", "triggers/{id}", triggers.delete),
    endpoint("POST", "triggers/{id}/test", triggers.test),
    Route("/v2/notifications/{cloud}/messages", triggers.messages),
    Route("/v2/notifications/{cloud}/messages/ack", triggers.acknowledge, methods=["POST"]),
    # Signed search URLs, on the delivery side
    Route("/{cloud}/search/{signature}/{ttl:int}/{query}", search.search_url),
    Route("/{cloud}/search/{signature}/{ttl:int}/{query}/{cursor}", search.search_url),
]
