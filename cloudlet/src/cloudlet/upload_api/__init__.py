"""The routes of the Upload API."""

from starlette.routing import BaseRoute, Route

from cloudlet.upload_api.archive import generate_archive
from cloudlet.upload_api.composites import multi, sprite, sprite_sheet
from cloudlet.upload_api.destroy import destroy
from cloudlet.upload_api.explicit import explicit
from cloudlet.upload_api.explode import explode
from cloudlet.upload_api.rename import rename
from cloudlet.upload_api.tags import context, metadata, tags
from cloudlet.upload_api.text import text
from cloudlet.upload_api.tokens import delete_by_token
from cloudlet.upload_api.upload import upload
from cloudlet.upload_api.upload_call import endpoint

routes: list[BaseRoute] = [
    *endpoint("upload", upload, allows_unsigned=True),
    *endpoint("destroy", destroy),
    *endpoint("explicit", explicit),
    *endpoint("rename", rename),
    *endpoint("tags", tags, notifications_optional=True),
    *endpoint("context", context, notifications_optional=True),
    *endpoint("metadata", metadata, notifications_optional=True),
    *endpoint("explode", explode),
    *endpoint("text", text),
    *endpoint("sprite", sprite, methods=("POST", "GET")),
    *endpoint("multi", multi, methods=("POST", "GET")),
    *endpoint("generate_archive", generate_archive, accepts_expires_at=True, methods=("POST", "GET")),
    Route("/v1_1/{cloud}/delete_by_token", delete_by_token, methods=["POST"]),
    Route("/v1_1/{cloud}/{resource_type}/delete_by_token", delete_by_token, methods=["POST"]),
    Route("/{cloud}/image/sprite/{name:path}.css", sprite_sheet),
    Route("/{cloud}/image/sprite/{name:path}.json", sprite_sheet),
]
