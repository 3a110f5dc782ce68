"""The hourly rate limit of the Admin API and its headers."""

import email.utils
import time

from cloudlet.errors import ApiError

WINDOW_SECONDS = 3600


class RateLimit:
    """A limit of calls per clock hour (fixed window). Not thread-safe: use it on the event loop only."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self._window = 0
        self._used = 0

    def spend(self, now: float | None = None) -> dict[str, str]:
        """Count one call and return its headers. Raises ApiError 420 if the limit is exceeded."""
        window = int((time.time() if now is None else now) // WINDOW_SECONDS)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        reset = email.utils.formatdate((window + 1) * WINDOW_SECONDS, usegmt=True)
        headers = {
            "X-FeatureRateLimit-Limit": str(self.allowed),
            "X-FeatureRateLimit-Remaining": str(max(0, self.allowed - self._used)),
            "X-FeatureRateLimit-Reset": reset,
        }
        if self._used > self.allowed:
            raise ApiError(420, f"Rate Limit Exceeded. Limit of {self.allowed} api operations reached.", headers)
        return headers
