"""Refuse parameters that need paid add-ons or run code, with the messages that clients know."""

from cloudlet.errors import bad_request
from cloudlet.web.params import Params

_UPLOAD_TEXTS = {
    "raw_convert": "Raw convert is invalid",
    "background_removal": "Background removal is invalid",
    "categorization": "Categorization item {value} is not valid",
    "detection": "Detection invalid model '{value}'",
    "ocr": "Ocr {value} is invalid",
    "similarity_search": "Similarity search is invalid",
    "auto_transcription": "Auto transcription is invalid: cloudlet has no such add-on",
    "auto_chaptering": "Auto chaptering is invalid: cloudlet has no such add-on",
    "eval": "eval is invalid: cloudlet runs no uploaded code",
    "on_success": "on_success is invalid: cloudlet runs no uploaded code",
}
_UPDATE_FIELDS = ("raw_convert", "background_removal", "categorization", "detection", "ocr", "similarity_search")


def refuse_in_upload(params: Params) -> None:
    """Raise ApiError 400 for the first such parameter of an upload or explicit call."""
    for name, text in _UPLOAD_TEXTS.items():
        if name in params and params.text(name).lower() not in ("false", "0"):
            raise bad_request(text.format(value=params.text(name)[:60]))


def refuse_in_update(params: Params) -> None:
    """Raise ApiError 400 for the first such parameter of the Admin API's update."""
    for name in _UPDATE_FIELDS:
        if name in params:
            raise bad_request(f"Illegal value {params.text(name)[:60]} for {name}")
