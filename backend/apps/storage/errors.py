"""MediaError, the one error that `gateway.py` raises: what failed, whether a retry helps, and what else helps."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings

REFUSAL_STATUSES = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


class MediaError(Exception):
    """A failed call to storage.

    `status` is the HTTP status, or None without a response. `retry_after` is in seconds, or None if it is unknown.
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
        """Whether the status says that there were too many calls."""
        return self.status in (420, 429)

    @property
    def is_misconfiguration(self) -> bool:
        """Whether every call will fail until the configuration is changed."""
        return self.status == HTTPStatus.UNAUTHORIZED or "cloud_name" in self.reason or "Stale request" in self.reason

    @property
    def is_temporary(self) -> bool:
        """Whether a retry may succeed."""
        return self.status is None or self.is_rate_limit or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_refusal_of_file(self) -> bool:
        """Whether storage does not accept this file or its public id, while it may accept others."""
        return self.status in REFUSAL_STATUSES and not self.is_misconfiguration

    @property
    def outcome(self) -> str:
        """The value of the metrics' label `outcome`."""
        if self.is_misconfiguration:
            return "misconfigured"
        if self.status is None:
            return "timeout" if "timed out" in self.reason or "TimeoutError" in self.reason else "unreachable"
        if self.is_rate_limit:
            return "rate_limited"
        return "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"

    @property
    def hint(self) -> str:
        """What the operator can do; empty if there is nothing to do but wait."""
        if self.is_misconfiguration and settings.CLOUDINARY_ACCOUNT.is_cloudlet:
            return (
                f"The server on {settings.CLOUDINARY_ACCOUNT.upload_prefix} has another secret than the one in "
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
            return "Cloudinary limits the rate of calls; it will be retried later."
        return ""
