"""The console at ``/``, which shows the stored assets and the log of calls."""

from starlette.routing import BaseRoute, Route

from cloudlet.console import data, pages

PREFIX = "/_cloudlet/console"

routes: list[BaseRoute] = [
    Route("/", pages.index),
    Route(f"{PREFIX}/static/{{name}}", pages.static),
    Route(f"{PREFIX}/overview", data.overview),
    Route(f"{PREFIX}/assets", data.browse),
    Route(f"{PREFIX}/assets/{{asset_id}}", data.details),
    Route(f"{PREFIX}/assets/{{asset_id}}", data.delete, methods=["DELETE"]),
    Route(f"{PREFIX}/assets/{{asset_id}}/thumbnail", data.thumbnail),
    Route(f"{PREFIX}/assets/{{asset_id}}/attempt", data.try_transformation),
    Route(f"{PREFIX}/calls", data.calls),
]
