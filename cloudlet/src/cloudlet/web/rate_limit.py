"""The Admin API's hourly allowance and the headers that tell of it."""

import email.utils
import time

from cloudlet.errors import ApiError

WINDOW_S = 3600


class RateLimit:
    """A count per full hour. Used from the event loop only."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self._window = 0
        self._used = 0

    def spend(self, now: float | None = None) -> dict[str, str]:
        """Counts one call and returns its headers; 420 when the allowance is used up."""
        window = int((time.time() if now is None else now) // WINDOW_S)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        reset = email.utils.formatdate((window + 1) * WINDOW_S, usegmt=True)
        headers = {
            "X-FeatureRateLimit-Limit": str(self.allowed),
            "X-FeatureRateLimit-Remaining": str(max(0, self.allowed - self._used)),
            "X-FeatureRateLimit-Reset": reset,
        }
        if self._used > self.allowed:
            raise ApiError(420, f"Rate Limit Exceeded. Limit of {self.allowed} api operations reached.", headers)
        return headers
