"""How often one person may ask. Counted in Django's cache, so that all processes count together if they share one."""

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

MINUTE = 60


class PerPerson(BaseThrottle):
    """At most `settings.API_REQUESTS_A_MINUTE[scope]` requests of one person in each minute of the clock.

    Keeps no state in itself (Ninja shares one instance between threads) and counts by the cache's atomic increment.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def allow_request(self, request: HttpRequest) -> bool:
        person = cast("SignedInRequest", request).auth.pk
        key = f"api-rate:{self.scope}:{person}:{int(time.time() // MINUTE)}"
        cache.add(key, 0, timeout=2 * MINUTE)
        return cache.incr(key) <= settings.API_REQUESTS_A_MINUTE[self.scope]

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return math.ceil(MINUTE - time.time() % MINUTE)
