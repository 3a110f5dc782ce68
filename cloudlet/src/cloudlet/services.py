"""The services that all endpoints share. They are created once, at the start of the application."""

import dataclasses
from typing import cast

from starlette.requests import HTTPConnection

from cloudlet.assets.derivation import Renderer
from cloudlet.config import Settings
from cloudlet.faults import FaultPlan, parse_flag
from cloudlet.network.webhooks import Webhooks
from cloudlet.store import Store
from cloudlet.store.chunk_sessions import ChunkSessions
from cloudlet.web.rate_limit import RateLimit
from cloudlet.web.request_log import RequestLog


@dataclasses.dataclass(slots=True)
class Services:
    """The settings, the store and the components of one application."""

    settings: Settings
    store: Store
    calls: RequestLog
    rate_limit: RateLimit
    renderer: Renderer = dataclasses.field(init=False)
    webhooks: Webhooks = dataclasses.field(init=False)
    chunk_sessions: ChunkSessions = dataclasses.field(init=False)
    faults: FaultPlan = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.renderer = Renderer(self.settings, self.store)
        self.webhooks = Webhooks(self.settings, self.store)
        self.chunk_sessions = ChunkSessions(self.store)
        self.faults = FaultPlan([parse_flag(text) for text in self.settings.faults], self.settings.fault_seed)


def services_of(request: HTTPConnection) -> Services:
    """Return the services of the application that serves ``request``."""
    return cast(Services, request.app.state.services)
