"""Upload presets: settings stored on the server. Uploads without a signature need one."""

from cloudlet.config import Settings
from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.store import Store, documents
from cloudlet.web.params import Params

KIND = "upload_preset"
DEFAULT = "ml_default"
"""The preset that exists from the start."""
_UNSIGNED_PARAMETERS = (
    "upload_preset", "callback", "public_id", "public_id_prefix", "folder", "asset_folder", "display_name", "tags",
    "context", "metadata", "face_coordinates", "custom_coordinates", "regions", "source", "filename_override",
    "manifest_transformation", "manifest_json", "template", "template_vars", "accessibility_analysis", "async",
    "use_asset_folder_as_public_id_prefix",
)  # fmt: skip
"""The parameters that take effect in an unsigned upload."""
_SIGNED_PARAMETERS = frozenset(
    {
        "access_control", "access_mode", "allowed_formats", "auto_chaptering", "auto_tagging", "auto_transcription",
        "background_removal", "backup", "batch_id", "categorization", "cinemagraph_analysis", "colors", "detection",
        "discard_original_filename", "eager", "eager_async", "eager_notification_url", "eval", "exif", "faces",
        "format", "headers", "image_metadata", "invalidate", "media_metadata", "moderation", "notification_url", "ocr",
        "on_success", "overwrite", "phash", "proxy", "quality_analysis", "quality_override", "raw_convert",
        "responsive_breakpoints", "return_delete_token", "similarity_search", "transformation", "type",
        "unique_display_name", "unique_filename", "use_filename", "use_filename_as_display_name", "visual_search",
    }
)  # fmt: skip
"""The parameters that an unsigned upload is refused for. It ignores all others, such as `unsigned` and `name`."""


def is_unsigned(preset: dict[str, Json], settings: Settings) -> bool:
    """Return whether a preset allows unsigned uploads. For the default preset, ``unsigned_ml_default`` does too."""
    return bool(preset["unsigned"]) or (preset["name"] == DEFAULT and settings.unsigned_ml_default)


def apply(params: Params, store: Store, settings: Settings, *, unsigned: bool) -> Params:
    """Return the parameters of a call, combined with the preset that they name.

    The parameters of a signed call override its preset. An unsigned call must name a preset that allows it, which
    overrides its parameters, and only ``_UNSIGNED_PARAMETERS`` take effect. Raises ApiError 400 if the preset does not
    exist or the call may not use it.
    """
    name = params.text("upload_preset")
    if not name:
        if unsigned:
            raise bad_request("Upload preset must be specified when using unsigned upload")
        return params
    preset = documents.find(store.reader, KIND, name)
    if preset is None:
        raise bad_request("Upload preset not found")
    defaults: dict[str, Json] = preset["settings"]
    if not unsigned:
        return params.with_defaults(defaults)
    if not is_unsigned(preset, settings):
        raise bad_request("Upload preset must be whitelisted for unsigned uploads")
    refused = sorted(params.raw().keys() & _SIGNED_PARAMETERS)
    if refused:
        raise bad_request(
            f"{refused[0].replace('_', ' ').capitalize()} parameter is not allowed when using unsigned upload."
            f" Only {','.join(_UNSIGNED_PARAMETERS)} upload parameters are allowed."
        )
    params = params.only(("file", *_UNSIGNED_PARAMETERS))
    if defaults.get("disallow_public_id") in (True, "true", "1", 1) and "public_id" in params:
        raise bad_request("public_id is not allowed by this upload preset")
    return params.with_overrides(defaults)
