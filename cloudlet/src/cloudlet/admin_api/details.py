"""Show and change one asset."""

from cloudlet import pictures
from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.listing import resource_type_of
from cloudlet.assets import addons, attributes, parameter_values
from cloudlet.errors import bad_request, not_found
from cloudlet.ids import checked_folder
from cloudlet.model import Asset, Json, now_iso
from cloudlet.pictures import analysis
from cloudlet.store import Transaction, assets, backups, derived, folders, relations
from cloudlet.structured_metadata import values as metadata_values
from cloudlet.web.params import Params

DERIVED_RESULTS = 10
_MODERATION_STATUSES = ("approved", "rejected", "pending")
_EXTRAS = (*analysis.AVAILABLE, "coordinates")


def missing(what: str) -> Exception:
    """Return an ApiError 404 for an asset that does not exist."""
    return not_found(f"Resource not found - {what}")


def show(call: AdminCall) -> Json:
    """Serve ``GET /resources/{resource_type}/{type}/{public_id}``."""
    public_id = call.path["public_id"]
    asset = call.store.get(resource_type_of(call), call.path["type"], public_id)
    if asset is None:
        raise missing(public_id)
    return detailed(call, asset)


def show_by_asset_id(call: AdminCall) -> Json:
    asset = call.store.get_by_asset_id(call.path["asset_id"])
    if asset is None:
        raise missing(call.path["asset_id"])
    return detailed(call, asset)


def detailed(call: AdminCall, asset: Asset) -> dict[str, Json]:
    """Return the details of an asset, a page of its derived files, and the analyses and lists that are requested."""
    wanted = [name for name in _EXTRAS if call.params.flag(name)]
    if not asset.placeholder:
        unknown = [name for name in wanted if name not in asset.extra]
        asset.extra.update(pictures.analyse_stored(call.store, asset, unknown))
    answer = call.presenter.detailed(asset, wanted)
    limit = call.params.integer("max_results", DERIVED_RESULTS, low=1, high=500)
    after = call.params.text("derived_next_cursor")
    files = derived.of_asset(call.store.reader, asset.asset_id, after=after, limit=limit + 1)
    answer["derived"] = [call.presenter.derived(asset, file) for file in files[:limit]]
    if len(files) > limit:
        answer["derived_next_cursor"] = files[limit - 1].id
    if call.params.flag("versions"):
        answer["versions"] = backups.list_versions(call.store.reader, asset)
    if call.params.flag("related"):
        related = relations.related_assets(call.store.reader, asset.asset_id)
        answer["related_assets"] = [call.presenter.listed(other) for other in related]
    return answer


def update(call: AdminCall) -> Json:
    """Serve ``POST /resources/{resource_type}/{type}/{public_id}``."""
    params = call.params
    addons.refuse_in_update(params)
    call.services.webhooks.parse_url(params.text("notification_url"))
    public_id = call.path["public_id"]
    key = (resource_type_of(call), call.path["type"], public_id)

    def job(transaction: Transaction) -> Asset:
        asset = assets.find(transaction.connection, *key)
        if asset is None or asset.placeholder:
            raise missing(public_id)
        attributes.apply(params, asset)
        _change_metadata(transaction, asset, params)
        _change_moderation(asset, params)
        if "asset_folder" in params and call.settings.folder_mode == "dynamic":
            asset.asset_folder = checked_folder(params.text("asset_folder"), "asset_folder")
            folders.ensure(transaction, asset.asset_folder)
        if "access_mode" in params:
            asset.access_mode = params.choice("access_mode", ("public", "authenticated"), "public")
        return assets.save(transaction, asset)

    asset = call.store.write(job)
    answer = detailed(call, asset)
    call.services.webhooks.notify(params.text("notification_url"), {"notification_type": "update", **answer})
    return answer


def _change_metadata(transaction: Transaction, asset: Asset, params: Params) -> None:
    given = parameter_values.pairs(params, "metadata")
    clear_invalid = params.flag("clear_invalid")
    if given or clear_invalid:
        asset.metadata = metadata_values.merge(
            transaction.connection, asset.metadata, given, clear_invalid=clear_invalid
        )


def _change_moderation(asset: Asset, params: Params) -> None:
    if "moderation_status" not in params:
        return
    status = params.choice("moderation_status", _MODERATION_STATUSES, "")
    if not asset.moderation:
        raise bad_request(f"Resource {asset.public_id} is not under moderation")
    asset.moderation = [{**asset.moderation[0], "status": status, "updated_at": now_iso()}, *asset.moderation[1:]]
