"""Read request parameters in the notations of all SDKs. Invalid values raise ApiError 400."""

import json
import re
from collections.abc import Collection, Iterable, Mapping

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.web.timestamps import parse_timestamp

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_INDEXED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<index>\d*)\]$")


class Params:
    """The parameters of one call, from a form, a query string or a JSON body.

    A value is a text, a list of texts (``name[]`` or ``name[0]``) or, from JSON, any value. Empty and null values count
    as absent, which is what the SDKs mean by them.
    """

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None and value != ""}

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> "Params":
        """Return the parameters of a form or a query string. Repeated names make a list."""
        values: dict[str, Json] = {}
        for raw_name, value in pairs:
            match = _INDEXED.match(raw_name)
            name = match.group("name") if match else raw_name
            present = values.get(name)
            if isinstance(present, list):
                present.append(value)
            elif match:
                values[name] = [value]
            else:
                # The Node SDK writes a list as a repeated plain name.
                values[name] = value if present is None else [present, value]
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self) -> dict[str, Json]:
        """Return a copy of all values."""
        return dict(self._values)

    def with_defaults(self, defaults: Mapping[str, Json]) -> "Params":
        """Return these parameters, with ``defaults`` for the absent ones."""
        return Params({**defaults, **self._values})

    def only(self, names: Collection[str]) -> "Params":
        """Return those of these parameters that are in ``names``."""
        return Params({name: value for name, value in self._values.items() if name in names})

    def with_overrides(self, overrides: Mapping[str, Json]) -> "Params":
        """Return these parameters, replaced by ``overrides``. A None removes a parameter."""
        return Params({**self._values, **overrides})

    def value(self, name: str) -> Json:
        """Return the unparsed value, or None if it is absent."""
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """Return a single value as text."""
        value = self._values.get(name, default)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | dict):
            raise bad_request(f"Invalid value for parameter {name}")
        return str(value)

    def required(self, name: str) -> str:
        """Return a text that must not be absent."""
        value = self.text(name)
        if not value:
            raise bad_request(f"Missing required parameter - {name}")
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return a text that must be one of ``choices``."""
        value = self.text(name, default)
        if value not in choices:
            raise bad_request(f"Invalid {name} {value}. Must be one of: {', '.join(sorted(choices))}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean, which may be sent as 1 or 0, true or false, yes or no, on or off."""
        if name not in self._values:
            return default
        value = self.text(name).lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise bad_request(f"Invalid value {value} for parameter {name}: must be true or false")

    def integer(self, name: str, default: int, *, low: int = 0, high: int = 2**53) -> int:
        """Return a whole number. Values above ``high`` are reduced to it, as Cloudinary does with ``max_results``."""
        value = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,18}", value) or int(value) < low:
            raise bad_request(f"Invalid value {value[:50]} for parameter {name}: must be a whole number from {low} up")
        return min(int(value), high)

    def timestamp(self, name: str) -> float:
        """Return a time in seconds since 1970, which the client may send in milliseconds, or 0 if it is absent."""
        value = self.text(name, "0")
        timestamp = parse_timestamp(value)
        if timestamp is None:
            raise bad_request(f"Invalid value {value[:50]} for parameter {name}: must be seconds since 1970")
        return timestamp

    def texts(self, name: str) -> list[str]:
        """Return a list, which may be sent as repeated values, as JSON or separated by commas."""
        value = self._values.get(name, [])
        if isinstance(value, str):
            return [item.strip() for item in value.split(",") if item.strip()]
        if not isinstance(value, list) or any(isinstance(item, list | dict) for item in value):
            raise bad_request(f"Invalid value for parameter {name}: must be a list")
        return [str(item) for item in value]

    def items(self, name: str) -> list[str]:
        """Return a list whose items may contain commas: a single text is one item."""
        value = self._values.get(name, [])
        return [value] if isinstance(value, str) else self.texts(name)

    def json(self, name: str) -> Json:
        """Return a value that was sent as JSON text or as part of a JSON body, or None if it is absent."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"Invalid value for parameter {name}: must be valid JSON") from error
