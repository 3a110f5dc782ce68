"""What the calls of both APIs have in common, and how a handler becomes a route."""

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
    """One authenticated call. ``base`` is scheme and authority by which the caller reached us."""

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
    """``/v1_1/{cloud}/path``, answered by ``serve(request, handler=handler, **rest)``."""
    bound = functools.partial(serve, handler=handler, **rest)
    # A partial of a coroutine function is one, but Starlette looks at the name of what it is given.
    functools.update_wrapper(bound, handler)
    return Route(f"/v1_1/{{cloud}}/{path}", bound, methods=list(methods))
