"""The rules of fault injection: which calls a fault hits, how often, and what it does."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from cloudlet.config import ConfigError
from cloudlet.model import Json


class Kind(enum.StrEnum):
    """The kind of a fault.

    ``latency`` delays the call. ``error`` and ``rate_limit`` respond with an error instead. ``drop_before`` and
    ``drop_after`` drop the connection before or after the call takes effect. ``slow`` throttles the body. ``block_pdf``
    refuses to deliver PDF and ZIP files, as free accounts do.
    """

    LATENCY = "latency"
    ERROR = "error"
    RATE_LIMIT = "rate_limit"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    SLOW = "slow"
    BLOCK_PDF = "block_pdf"


_DEFAULT_STATUS = {Kind.ERROR: 500, Kind.RATE_LIMIT: 420}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault.

    ``call`` is the name of a call (``upload``, ``destroy``, ``resources``, ...), ``upload_api``, ``admin_api``,
    ``delivery`` or ``*``. The fault hits the fraction ``rate`` of the matching calls, after the first ``after`` calls
    and at most ``count`` times (0: unlimited). The latency is ``ms``, or drawn from the log-normal distribution with
    ``p50`` and ``p99``, all in milliseconds. ``reset`` is in seconds. Raises ConfigError if a value is invalid.
    """

    call: str
    kind: Kind
    rate: float = 1.0
    after: int = 0
    count: int = 0
    status: int = 0
    message: str = ""
    ms: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    reset: int = 60
    bytes_per_second: int = 1024

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ConfigError(f"fault {self.call}:{self.kind}: rate must lie between 0 and 1")
        if self.kind is Kind.LATENCY and not (self.ms > 0 or 0 < self.p50 <= self.p99):
            raise ConfigError(f"fault {self.call}:latency needs ms, or p50 and p99 with p50 <= p99")
        if self.kind is Kind.SLOW and self.bytes_per_second < 1:
            raise ConfigError(f"fault {self.call}:slow needs bytes_per_second of at least 1")
        if self.kind in _DEFAULT_STATUS and not 400 <= self.response_status <= 599:
            raise ConfigError(f"fault {self.call}:{self.kind}: status must lie between 400 and 599")

    @property
    def response_status(self) -> int:
        """The HTTP status of the fault's response: ``status``, or the default of its kind."""
        return self.status or _DEFAULT_STATUS.get(self.kind, 500)


_NUMBERS: dict[str, type[Any]] = {
    field.name: type(field.default) for field in dataclasses.fields(Rule) if field.name not in ("call", "kind")
}


def rule_from_json(given: Mapping[str, Json]) -> Rule:
    """Return the rule that a JSON object describes. Raises ConfigError if it is invalid."""
    unknown = given.keys() - {"call", "kind"} - _NUMBERS.keys()
    if unknown:
        raise ConfigError(f"unknown fault setting {sorted(unknown)[0]}; known are {', '.join(sorted(_NUMBERS))}")
    try:
        values = {name: _NUMBERS[name](value) for name, value in given.items() if name in _NUMBERS}
        return Rule(call=str(given.get("call", "*")), kind=Kind(str(given.get("kind"))), **values)
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"invalid fault {dict(given)}: kinds are {', '.join(Kind)}; {error}") from error


def parse_flag(text: str) -> Rule:
    """Return the rule of ``CALL:KIND[,setting=value...]``, such as ``upload:error,rate=0.1,status=503``.

    Raises ConfigError if it is invalid.
    """
    call, colon, rest = text.partition(":")
    kind, *settings = rest.split(",")
    if not colon or not kind:
        raise ConfigError(f"invalid --fault {text!r}: write CALL:KIND[,setting=value...]")
    pairs = [setting.partition("=") for setting in settings]
    return rule_from_json({"call": call, "kind": kind, **{name: value for name, _, value in pairs}})
