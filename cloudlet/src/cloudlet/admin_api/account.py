"""Calls about the account as a whole: ``ping``, ``config``, ``usage`` and ``resources``."""

import datetime

from cloudlet.admin_api.admin_call import AdminCall
from cloudlet.errors import bad_request
from cloudlet.model import RESOURCE_TYPES, Json

_DATE_FORMATS = ("%d-%m-%Y", "%Y-%m-%d")


def ping(_: AdminCall) -> Json:
    return {"status": "ok"}


def config(call: AdminCall) -> Json:
    answer: dict[str, Json] = {"cloud_name": call.settings.cloud_name, "created_at": "2024-01-01T00:00:00Z"}
    if call.params.flag("settings"):
        answer["settings"] = {"folder_mode": call.settings.folder_mode}
    return answer


def resource_types(_: AdminCall) -> Json:
    return {"resource_types": list(RESOURCE_TYPES)}


def usage(call: AdminCall) -> Json:
    """Return the current usage. For a requested date, the limits are left out, but the numbers are still current.

    Raises ApiError 400 if the date is malformed.
    """
    date = call.path.get("date") or call.params.text("date")
    today = datetime.datetime.now(datetime.UTC).date()
    requested = _date(date) if date else today
    reader = call.store.reader
    assets, stored = reader.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM assets").fetchone()
    files, derived = reader.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM derived").fetchone()
    numbers = {
        "transformations": files,
        "objects": assets + files,
        "bandwidth": call.services.calls.bytes_sent,
        "storage": stored + derived,
    }
    limits: dict[str, Json] = {} if date else {"limit": 0, "used_percent": 0.0}
    answer: dict[str, Json] = {
        "plan": "cloudlet",
        "last_updated": today.isoformat(),
        "date_requested": f"{requested.isoformat()}T00:00:00Z",
        **{name: {"usage": number, **limits} for name, number in numbers.items()},
        "requests": call.services.calls.total,
        "resources": assets,
        "derived_resources": files,
    }
    largest = call.settings.max_upload_bytes
    answer["media_limits"] = {
        "image_max_size_bytes": largest,
        "video_max_size_bytes": largest,
        "raw_max_size_bytes": largest,
        "image_max_px": call.settings.max_pixels,
        "asset_max_total_px": call.settings.max_pixels,
    }
    return answer


def _date(text: str) -> datetime.date:
    for format_ in _DATE_FORMATS:
        try:
            return datetime.datetime.strptime(text, format_).replace(tzinfo=datetime.UTC).date()
        except ValueError:
            continue
    raise bad_request(f"Invalid date {text[:20]}: write dd-mm-yyyy")
