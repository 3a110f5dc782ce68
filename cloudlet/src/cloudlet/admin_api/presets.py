"""Serve ``/upload_presets`` and ``/upload_mappings``."""

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.paging import paginate
from cloudlet.admin_api.transformation_info import info_of
from cloudlet.assets import parameter_values
from cloudlet.assets.upload_presets import KIND, is_unsigned
from cloudlet.errors import bad_request, conflict, not_found
from cloudlet.ids import checked_folder, random_id
from cloudlet.model import Json, now_iso
from cloudlet.store import Transaction, documents
from cloudlet.web.params import Params

MAPPING = "upload_mapping"
_NOT_SETTINGS = frozenset({"name", "unsigned", "api_key", "signature", "timestamp"})
_LISTS = ("tags", "allowed_formats")
_FLAGS = frozenset(
    {
        "live", "disallow_public_id", "overwrite", "use_filename", "unique_filename", "backup", "colors", "faces",
        "phash", "image_metadata", "media_metadata", "exif", "eager_async", "invalidate", "return_delete_token",
        "use_filename_as_display_name", "unique_display_name", "discard_original_filename", "quality_analysis",
        "accessibility_analysis", "cinemagraph_analysis", "use_asset_folder_as_public_id_prefix", "async",
        "auto_chaptering", "auto_transcription", "visual_search",
    }
)  # fmt: skip


def _shown(preset: dict[str, Json], call: AdminCall) -> dict[str, Json]:
    """Return a preset with parsed settings, in the format of the Admin API. Raises ApiError 400."""
    params = Params(preset["settings"])
    settings: dict[str, Json] = {}
    for name, value in preset["settings"].items():
        if name in _LISTS:
            settings[name] = params.texts(name)
        elif name in ("context", "metadata"):
            settings[name] = parameter_values.pairs(params, name)
        elif name == "transformation":
            settings[name] = info_of(str(value))
        elif name in _FLAGS:
            settings[name] = params.flag(name)
        else:
            settings[name] = value
    return {
        "name": preset["name"],
        "external_id": preset["external_id"],
        "unsigned": is_unsigned(preset, call.settings),
        "settings": settings,
    }


def list_presets(call: AdminCall) -> Json:
    page, more = paginate(call.params, documents.list_all(call.store.reader, KIND))
    return {"presets": [_shown(preset, call) for preset in page], **more}


def _find(transaction: Transaction, name: str) -> dict[str, Json]:
    preset = documents.find(transaction.connection, KIND, name)
    if preset is None:
        raise not_found(f"Can't find upload preset named {name}")
    return preset


def get_preset(call: AdminCall) -> Json:
    preset = documents.find(call.store.reader, KIND, call.path["name"])
    if preset is None:
        raise not_found(f"Can't find upload preset named {call.path['name']}")
    return _shown(preset, call)


def _settings(params: Params) -> dict[str, Json]:
    return {name: value for name, value in params.raw().items() if name not in _NOT_SETTINGS}


def create_preset(call: AdminCall) -> Json:
    name = call.params.text("name") or random_id(8)
    if "/" in name or len(name) > 255:
        raise bad_request(f"Invalid upload preset name {name[:60]}")
    preset = {
        "name": name,
        "external_id": random_id(32),
        "unsigned": call.params.flag("unsigned"),
        "settings": _settings(call.params),
        "created_at": now_iso(),
    }
    _shown(preset, call)

    def job(transaction: Transaction) -> None:
        if documents.find(transaction.connection, KIND, name):
            raise conflict(f"Preset {name} already exists")
        documents.save(transaction, KIND, name, preset)

    call.store.write(job)
    return {"message": "created", "name": name}


def update_preset(call: AdminCall) -> Json:
    name = call.path["name"]

    def job(transaction: Transaction) -> None:
        preset = _find(transaction, name)
        preset["unsigned"] = call.params.flag("unsigned", preset["unsigned"])
        preset["settings"] = {**preset["settings"], **_settings(call.params)}
        _shown(preset, call)
        documents.save(transaction, KIND, name, preset)

    call.store.write(job)
    return {"message": "updated"}


def delete_preset(call: AdminCall) -> Json:
    name = call.path["name"]

    def job(transaction: Transaction) -> None:
        _find(transaction, name)
        documents.delete(transaction, KIND, name)

    call.store.write(job)
    return {"message": "deleted"}


# ---------------------------------------------------------------------------------------------- mappings


def _mapping(call: AdminCall, folder: str) -> dict[str, Json]:
    found = documents.find(call.store.reader, MAPPING, folder)
    if found is None:
        raise not_found(f"Can't find upload mapping for folder {folder}")
    return found


def mappings(call: AdminCall) -> Json:
    """Return all mappings, or that of ``folder``."""
    if "folder" in call.params:
        return _mapping(call, call.params.text("folder"))
    page, more = paginate(call.params, documents.list_all(call.store.reader, MAPPING))
    return {"mappings": page, **more}


def create_mapping(call: AdminCall) -> Json:
    folder = checked_folder(call.params.required("folder"))
    template = call.params.required("template")

    def job(transaction: Transaction) -> None:
        if documents.find(transaction.connection, MAPPING, folder):
            raise conflict(f"Upload mapping for folder {folder} already exists")
        mapping = {"folder": folder, "template": template, "external_id": random_id(32)}
        documents.save(transaction, MAPPING, folder, mapping)

    call.store.write(job)
    return {"message": "created", "folder": folder}


def update_mapping(call: AdminCall) -> Json:
    folder = call.params.required("folder")
    mapping = {**_mapping(call, folder), "template": call.params.required("template")}
    call.store.write(lambda transaction: documents.save(transaction, MAPPING, folder, mapping))
    return {"message": "updated"}


def delete_mapping(call: AdminCall) -> Json:
    folder = call.params.required("folder")
    _mapping(call, folder)
    call.store.write(lambda transaction: documents.delete(transaction, MAPPING, folder))
    return {"message": "deleted"}
