"""``explode``: make a derived image of each page of a PDF or frame of an animation."""

from cloudlet import ids
from cloudlet.assets import eager
from cloudlet.assets.background import run_in_background
from cloudlet.errors import bad_request, not_found
from cloudlet.ids import checked_public_id
from cloudlet.model import Json
from cloudlet.upload_api.upload_call import UploadCall

MAX_PAGES = 500


async def explode(call: UploadCall) -> Json:
    """Start to make the images in the background, and return the batch id and the number of pages.

    Raises ApiError 400 if the transformation does not contain ``pg_all``, and 404 if the asset does not exist.
    """
    params = call.params
    public_id = checked_public_id(params.required("public_id"))
    asset = call.store.get("image", params.text("type", "upload"), public_id)
    if asset is None or asset.placeholder:
        raise not_found(f"Resource not found - {public_id}")
    chain = params.text("transformation")
    if "pg_all" not in chain.replace("/", ",").split(","):
        raise bad_request("Transformation must include pg_all")
    format_ = params.text("format", "png")
    pages = min(asset.pages or 1, MAX_PAGES)
    texts = [f"{chain.replace('pg_all', f'pg_{page}')}/{format_}" for page in range(1, pages + 1)]
    items = eager.parse_items(call.store, "|".join(texts))
    call.services.webhooks.parse_url(params.text("notification_url"))
    batch_id = params.text("batch_id") or ids.random_id(32)

    async def work() -> None:
        made = await call.assets.derive(asset, items)
        body = {"notification_type": "explode", "batch_id": batch_id, "public_id": public_id, "eager": made}
        call.assets.notify(body)

    run_in_background(work())
    return {"status": "processing", "batch_id": batch_id, "pages": pages}
