"""``tags``, ``context`` and ``metadata``: change many assets at once."""

from cloudlet.assets import parameter_values
from cloudlet.errors import bad_request
from cloudlet.model import Asset, Json
from cloudlet.store import Transaction, assets, listing
from cloudlet.structured_metadata import values as metadata_values
from cloudlet.upload_api import lookup
from cloudlet.upload_api.upload_call import UploadCall

_TAG_COMMANDS = ("add", "remove", "replace", "remove_all", "set_exclusive")
_CONTEXT_COMMANDS = ("add", "remove_all")


async def tags(call: UploadCall) -> Json:
    """Add, remove or replace tags. ``set_exclusive`` also removes the tag from all other assets."""
    command = call.params.choice("command", _TAG_COMMANDS, "add")
    given = parameter_values.tags(call.params, "tag")
    if command != "remove_all" and not given:
        raise bad_request("Missing required parameter - tag")
    public_ids = lookup.public_ids_of(call)

    def change(_: Transaction, asset: Asset) -> None:
        if command in ("add", "set_exclusive"):
            asset.tags = [*asset.tags, *given]
        elif command == "remove":
            asset.tags = [tag for tag in asset.tags if tag not in given]
        else:
            asset.tags = given if command == "replace" else []

    if command == "set_exclusive":
        await _take_from_all(call, given)
    answer = await lookup.change_each(call, public_ids, change)
    call.assets.notify({"notification_type": "resource_tags_changed", "command": command, **answer})
    return answer


async def _take_from_all(call: UploadCall, given: list[str]) -> None:
    marks = ", ".join("?" * len(given))
    has_tag = f"assets.id IN (SELECT id FROM asset_tags WHERE tag IN ({marks}))"  # noqa: S608 - question marks only
    where = ["resource_type = ?", has_tag]

    def job(transaction: Transaction) -> None:
        while True:
            found, _ = listing.page(transaction.connection, where, [call.resource_type, *given], limit=500)
            if not found:
                return
            for asset in found:
                asset.tags = [tag for tag in asset.tags if tag not in given]
                assets.save(transaction, asset)

    await call.store.write_async(job)


async def context(call: UploadCall) -> Json:
    """Add key-value pairs, or remove all of them."""
    command = call.params.choice("command", _CONTEXT_COMMANDS, "add")
    given = parameter_values.pairs(call.params, "context")
    if command == "add" and not given:
        raise bad_request("Missing required parameter - context")

    def change(_: Transaction, asset: Asset) -> None:
        asset.context = {**asset.context, **given} if command == "add" else {}

    answer = await lookup.change_each(call, lookup.public_ids_of(call), change)
    call.assets.notify({"notification_type": "resource_context_changed", "command": command, **answer})
    return answer


async def metadata(call: UploadCall) -> Json:
    """Set structured metadata. Empty values remove their fields."""
    given = parameter_values.pairs(call.params, "metadata")
    clear_invalid = call.params.flag("clear_invalid")

    def change(transaction: Transaction, asset: Asset) -> None:
        asset.metadata = metadata_values.merge(
            transaction.connection, asset.metadata, given, clear_invalid=clear_invalid
        )

    answer = await lookup.change_each(call, lookup.public_ids_of(call), change)
    call.assets.notify({"notification_type": "resource_metadata_changed", "metadata": given, **answer})
    return answer
