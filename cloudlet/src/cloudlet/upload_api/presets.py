"""Upload presets: settings kept on the server, and the only way to upload without a signature."""

from cloudlet.assets import Json
from cloudlet.errors import bad_request
from cloudlet.params import Params
from cloudlet.store import Store, documents

KIND = "upload_preset"
UNSIGNED_PARAMETERS = frozenset(
    {
        "upload_preset", "callback", "public_id", "public_id_prefix", "folder", "asset_folder", "display_name", "tags",
        "context", "metadata", "face_coordinates", "custom_coordinates", "regions", "source", "filename_override",
        "manifest_transformation", "manifest_json", "template", "template_vars", "file", "api_key", "timestamp",
        "resource_type", "cloud_name", "async", "accessibility_analysis", "use_asset_folder_as_public_id_prefix",
    }
)  # fmt: skip


def applied(store: Store, params: Params, *, unsigned: bool) -> Params:
    """``params`` completed by the preset they name.

    A signed call overrides its preset; an unsigned one cannot, may only send ``UNSIGNED_PARAMETERS``, and needs a
    preset that allows it.
    """
    name = params.text("upload_preset")
    if not name:
        return params
    preset = documents.find(store.reader, KIND, name)
    if preset is None:
        raise bad_request("Upload preset not found")
    settings: dict[str, Json] = preset["settings"]
    if not unsigned:
        return params.with_defaults(settings)
    if not preset["unsigned"]:
        raise bad_request("Upload preset must be whitelisted for unsigned uploads")
    refused = sorted(params.raw().keys() - UNSIGNED_PARAMETERS)
    if refused:
        raise bad_request(
            f"{refused[0].capitalize()} parameter is not allowed when using unsigned upload."
            f" Only {', '.join(sorted(UNSIGNED_PARAMETERS))} are allowed."
        )
    if settings.get("disallow_public_id") in (True, "true", "1", 1) and "public_id" in params:
        raise bad_request("public_id is not allowed by this upload preset")
    return params.with_overrides(settings)
