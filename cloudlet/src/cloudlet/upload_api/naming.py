"""Choose the public id, folder and display name of an upload."""

import dataclasses

from cloudlet import ids
from cloudlet.config import FolderMode
from cloudlet.model import folder_of
from cloudlet.web.params import Params


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """The names of an uploaded asset. ``original_filename`` has no extension."""

    public_id: str
    asset_folder: str
    display_name: str
    original_filename: str


def choose(params: Params, filename: str | None, resource_type: str, folder_mode: FolderMode) -> Names:
    """Return the names for an upload of a file called ``filename``. Raises ApiError 400 if one is invalid."""
    filename = params.text("filename_override") or filename or ""
    base_name = filename.replace("\\", "/").rpartition("/")[2]
    stem, dot, extension = base_name.rpartition(".")
    original = (stem if dot and stem else base_name) or "file"
    name = params.text("public_id") or _generated(params, base_name)
    if "public_id" not in params and resource_type == "raw" and dot and extension.isalnum():
        name = f"{name}.{extension}"
    folder = ids.checked_folder(params.text("folder"))
    asset_folder = ids.checked_folder(params.text("asset_folder") or folder, "asset_folder")
    public_id = ids.checked_public_id(_prefixed(params, name, folder, asset_folder))
    if folder_mode == "fixed":
        asset_folder = folder_of(public_id)
    display_name = params.text("display_name")
    if not display_name and params.flag("use_filename_as_display_name"):
        display_name = original
    return Names(public_id, asset_folder, display_name or public_id.rpartition("/")[2], original)


def _generated(params: Params, base_name: str) -> str:
    if not params.flag("use_filename") or not base_name:
        return ids.random_id()
    name = ids.from_filename(base_name)
    return f"{name}_{ids.random_id(6)}" if params.flag("unique_filename", True) else name


def _prefixed(params: Params, name: str, folder: str, asset_folder: str) -> str:
    prefix = ids.checked_folder(params.text("public_id_prefix"), "public_id_prefix")
    if not prefix and params.flag("use_asset_folder_as_public_id_prefix"):
        prefix = asset_folder
    prefix = prefix or folder
    return f"{prefix}/{name}" if prefix else name
