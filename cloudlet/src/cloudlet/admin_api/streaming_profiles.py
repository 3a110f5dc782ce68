"""Serve ``/streaming_profiles``. They are only stored, since cloudlet does not transcode videos."""

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.admin_api.transformation_info import info_of
from cloudlet.errors import bad_request, conflict, not_found
from cloudlet.model import Json
from cloudlet.store import Transaction, documents

KIND = "streaming_profile"
_HD = ("c_limit,h_720,w_1280,br_3000k", "c_limit,h_480,w_854,br_1200k", "c_limit,h_360,w_640,br_800k")
_FULL_HD = ("c_limit,h_1080,w_1920,br_5500k", *_HD)
PREDEFINED = {
    "4k": ("c_limit,h_2160,w_3840,br_18000k", *_FULL_HD),
    "full_hd": _FULL_HD,
    "hd": _HD,
    "sd": _HD[1:],
    "full_hd_wifi": _FULL_HD,
    "full_hd_lean": _FULL_HD,
    "hd_lean": _HD,
}


def _predefined(name: str) -> dict[str, Json]:
    return {"name": name, "display_name": None, "predefined": True,
            "representations": [{"transformation": info_of(text)} for text in PREDEFINED[name]]}  # fmt: skip


def _find(call: AdminCall, name: str) -> dict[str, Json]:
    found = documents.find(call.store.reader, KIND, name)
    if found is None and name in PREDEFINED:
        return _predefined(name)
    if found is None:
        raise not_found(f"Can't find streaming profile named {name}")
    return found


def list_profiles(call: AdminCall) -> Json:
    own = {profile["name"]: profile for profile in documents.list_all(call.store.reader, KIND)}
    every = [*[own.pop(name, _predefined(name)) for name in PREDEFINED], *own.values()]
    return {"data": [{key: profile[key] for key in ("name", "display_name", "predefined")} for profile in every]}


def show(call: AdminCall) -> Json:
    return {"data": _find(call, call.path["name"])}


def _representations(call: AdminCall) -> list[dict[str, Json]]:
    given = call.params.json("representations")
    if not isinstance(given, list) or any(not isinstance(entry, dict) for entry in given):
        raise bad_request("Invalid value for parameter representations: must be a list of transformations")
    texts = [entry.get("transformation") for entry in given]
    return [{"transformation": info_of(text) if isinstance(text, str) else text} for text in texts]


def create(call: AdminCall) -> Json:
    name = call.params.required("name")
    profile: dict[str, Json] = {
        "name": name,
        "display_name": call.params.text("display_name") or None,
        "predefined": False,
        "representations": _representations(call),
    }

    def job(transaction: Transaction) -> None:
        if name in PREDEFINED or documents.find(transaction.connection, KIND, name):
            raise conflict(f"Streaming profile {name} already exists")
        documents.save(transaction, KIND, name, profile)

    call.store.write(job)
    return {"message": "created", "data": profile}


def update(call: AdminCall) -> Json:
    profile = _find(call, call.path["name"])
    if "display_name" in call.params:
        profile["display_name"] = call.params.text("display_name")
    if "representations" in call.params:
        profile["representations"] = _representations(call)
    call.store.write(lambda transaction: documents.save(transaction, KIND, profile["name"], profile))
    return {"message": "updated", "data": profile}


def delete(call: AdminCall) -> Json:
    """Delete a custom profile, or revert a predefined one."""
    profile = _find(call, call.path["name"])
    call.store.write(lambda transaction: documents.delete(transaction, KIND, profile["name"]))
    reverted = profile["name"] in PREDEFINED
    return {"message": "reverted" if reverted else "deleted", "data": profile}
