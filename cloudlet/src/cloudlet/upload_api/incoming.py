"""The incoming transformation, which changes an uploaded file before it is stored."""

import asyncio

from cloudlet.assets.eager import refuse_change
from cloudlet.assets.formats import canonical, made_format
from cloudlet.assets.layer_loader import signed_call
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.media.file_info import MediaInfo, inspect
from cloudlet.pictures import source_of
from cloudlet.staging import StagedBlob
from cloudlet.upload_api.upload_call import UploadCall


async def transform(call: UploadCall, blob: StagedBlob, info: MediaInfo) -> tuple[StagedBlob, MediaInfo]:
    """Apply ``transformation`` and ``format`` to an uploaded image. Return the same blob if they change nothing.

    An image whose format is in ``allowed_formats`` is not converted to ``format``. Raises ApiError 400 if the
    transformation is invalid, fails, or would change a video.
    """
    chain, format_ = call.params.text("transformation"), call.params.text("format").lower()
    if canonical(info.format) in allowed_formats(call):
        format_ = ""
    if info.resource_type == "video":
        refuse_change("video", info.format, parse_parameter(call.store, chain), format_)
    wanted = canonical(format_ or info.format)
    if info.resource_type != "image" or (not chain and wanted == canonical(info.format)):
        return blob, info
    transformation = parse_parameter(call.store, chain)
    wanted = made_format(info.format, transformation, transformation.format or wanted)
    made = await call.services.renderer.transform(
        source_of(blob), transformation, wanted, authorise=signed_call, budget=call.budget
    )
    replacement = call.store.blobs.stage_bytes(made.content)
    blob.discard()
    call.form.file = replacement
    return replacement, await asyncio.to_thread(inspect, replacement, "image", call.settings.max_pixels)


def allowed_formats(call: UploadCall) -> set[str]:
    """Return the formats to which the call restricts its file, or an empty set if it does not."""
    return {canonical(name.lower()) for name in call.params.texts("allowed_formats")}
