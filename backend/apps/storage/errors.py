"""The one error that `gateway.py` raises: what storage could not do, whether trying again helps, and what else does."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings

REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


class MediaError(Exception):
    """Storage could not do what was asked.

    `status` is the HTTP status, or None when there was no answer. `retry_after` is in seconds, None if unknown.
    """

    def __init__(
        self, operation: str, public_id: str, status: int | None, reason: str, retry_after: float | None = None
    ) -> None:
        self.operation = operation
        self.public_id = public_id
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(operation, public_id, status, reason)

    def __str__(self) -> str:
        return " ".join(filter(None, [f"❌ Error {self.operation}: {self.reason}", self.hint]))

    @property
    def is_rate_limit(self) -> bool:
        return self.status in (420, 429)

    @property
    def is_misconfiguration(self) -> bool:
        """Whether every other call will fail likewise until somebody changes the configuration."""
        return self.status == HTTPStatus.UNAUTHORIZED or "cloud_name" in self.reason or "Stale request" in self.reason

    @property
    def is_temporary(self) -> bool:
        """Whether the same call may well succeed a little later."""
        return self.status is None or self.is_rate_limit or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_refusal_of_file(self) -> bool:
        """Whether it is these very bytes, or their name, that storage doesn't take: others may well be taken."""
        return self.status in REFUSALS and not self.is_misconfiguration

    @property
    def outcome(self) -> str:
        """What became of the call, in one word out of a few, for counting."""
        if self.is_misconfiguration:
            return "misconfigured"
        if self.status is None:
            return "timeout" if "timed out" in self.reason or "TimeoutError" in self.reason else "unreachable"
        if self.is_rate_limit:
            return "rate_limited"
        return "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"

    @property
    def hint(self) -> str:
        """What the operator can do about it, in one sentence; empty when waiting is all."""
        if self.is_misconfiguration and settings.CLOUDINARY_ACCOUNT.is_cloudlet:
            return (
                f"What answers on {settings.CLOUDINARY_ACCOUNT.upload_prefix} has another secret than the one in "
                f"{settings.VAR_DIR / 'cloudlet'}, and so another data folder. Stop it and run `make demo`, or set "
                "CLOUDINARY_URL in backend/.env to what it printed at its start."
            )
        if self.is_misconfiguration:
            return "Check that backend/.env has the right CLOUDINARY_* credentials, and this machine's clock."
        if self.status is None:
            address = settings.CLOUDINARY_ACCOUNT.upload_prefix or "https://api.cloudinary.com"
            if settings.CLOUDINARY_ACCOUNT.is_cloudlet:
                return (
                    f"Nothing answers on {address}. Is cloudlet running? `make demo` starts it. If it runs with "
                    "another CLOUDLET_PORT, set that here too. Or set CLOUDINARY_* in backend/.env."
                )
            return f"Nothing answers on {address}. Check that it can be reached from here."
        if self.is_rate_limit:
            return "Cloudinary limits the rate of calls; it is tried again later."
        return ""
