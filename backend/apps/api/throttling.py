"""Rate limits per user, counted in Django's cache. Processes share a limit if they share a cache."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

if TYPE_CHECKING:
    from .authentication import SignedInRequest

MINUTE_SECONDS = 60


class PerPerson(BaseThrottle):
    """A fixed-window limit: `settings.API_REQUESTS_A_MINUTE[scope]` requests of a user per clock minute.

    Instances keep no state, because Ninja shares them between threads. The count is an atomic increment in the cache.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def allow_request(self, request: HttpRequest) -> bool:
        user_pk = cast("SignedInRequest", request).auth.pk
        key = f"api-rate:{self.scope}:{user_pk}:{int(time.time() // MINUTE_SECONDS)}"
        cache.add(key, 0, timeout=2 * MINUTE_SECONDS)
        return cache.incr(key) <= settings.API_REQUESTS_A_MINUTE[self.scope]

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return math.ceil(MINUTE_SECONDS - time.time() % MINUTE_SECONDS)
