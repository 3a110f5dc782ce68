"""Common code of both APIs: the call, and the route of a handler."""

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from cloudlet.assets.presenter import Presenter
from cloudlet.config import Settings
from cloudlet.services import Services
from cloudlet.store import Store
from cloudlet.web.params import Params


@dataclasses.dataclass(slots=True, kw_only=True)
class ApiCall:
    """One authenticated call. ``base`` is the scheme and authority by which the client reached the server."""

    services: Services
    params: Params
    base: str

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @property
    def presenter(self) -> Presenter:
        return Presenter(self.settings, self.base)


def route(
    path: str,
    serve: Callable[..., Awaitable[Response]],
    handler: Callable[..., Any],
    methods: Sequence[str],
    **rest: Any,
) -> Route:
    """Return the route ``/v1_1/{cloud}/path``, which calls ``serve(request, handler=handler, **rest)``."""
    bound = functools.partial(serve, handler=handler, **rest)
    # Starlette accepts a partial of a coroutine function, but reads its __name__.
    functools.update_wrapper(bound, handler)
    return Route(f"/v1_1/{{cloud}}/{path}", bound, methods=list(methods))
