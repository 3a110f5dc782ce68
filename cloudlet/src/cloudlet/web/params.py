"""Reading request parameters: one place that knows how the SDKs write values, and what to answer to a wrong one."""

import json
import re
from collections.abc import Collection, Iterable, Mapping

from cloudlet.errors import bad_request
from cloudlet.model import Json
from cloudlet.web.moments import read_moment

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_INDEXED = re.compile(r"(?P<name>[^\[\]]+)\[(?P<index>\d*)\]$")


class Params:
    """Parameters of one call, from a form, a query string or a JSON body.

    A value is text, a list of texts (``name[]`` or ``name[0]``), or, from JSON, any value. Empty and null values
    count as absent, as the SDKs mean them.
    """

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None and value != ""}

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> "Params":
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
                # The Node SDK repeats the plain name for a list.
                values[name] = value if present is None else [present, value]
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self) -> dict[str, Json]:
        """A copy of everything given."""
        return dict(self._values)

    def with_defaults(self, defaults: Mapping[str, Json]) -> "Params":
        """These parameters over ``defaults``."""
        return Params({**defaults, **self._values})

    def only(self, names: Collection[str]) -> "Params":
        """Return these parameters without any that are not in ``names``."""
        return Params({name: value for name, value in self._values.items() if name in names})

    def with_overrides(self, overrides: Mapping[str, Json]) -> "Params":
        return Params({**self._values, **overrides})

    def value(self, name: str) -> Json:
        """Whatever was given, untouched; None when absent."""
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, default)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | dict):
            raise bad_request(f"Invalid value for parameter {name}")
        return str(value)

    def required(self, name: str) -> str:
        """Text that must be there."""
        value = self.text(name)
        if not value:
            raise bad_request(f"Missing required parameter - {name}")
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise bad_request(f"Invalid {name} {value}. Must be one of: {', '.join(sorted(choices))}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        if name not in self._values:
            return default
        value = self.text(name).lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise bad_request(f"Invalid value {value} for parameter {name}: must be true or false")

    def integer(self, name: str, default: int, *, low: int = 0, high: int = 2**53) -> int:
        """A whole number; above ``high`` it is cut to ``high``, as ``max_results`` is by Cloudinary."""
        value = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,18}", value) or int(value) < low:
            raise bad_request(f"Invalid value {value[:50]} for parameter {name}: must be a whole number from {low} up")
        return min(int(value), high)

    def moment(self, name: str) -> float:
        """Return seconds since 1970, which may be written in milliseconds; 0 when absent."""
        value = self.text(name, "0")
        moment = read_moment(value)
        if moment is None:
            raise bad_request(f"Invalid value {value[:50]} for parameter {name}: must be seconds since 1970")
        return moment

    def texts(self, name: str) -> list[str]:
        """A list, however it was written: repeated, JSON, or separated by commas."""
        value = self._values.get(name, [])
        if isinstance(value, str):
            return [item.strip() for item in value.split(",") if item.strip()]
        if not isinstance(value, list) or any(isinstance(item, list | dict) for item in value):
            raise bad_request(f"Invalid value for parameter {name}: must be a list")
        return [str(item) for item in value]

    def items(self, name: str) -> list[str]:
        """A list whose single items may hold commas: one text is one item."""
        value = self._values.get(name, [])
        return [value] if isinstance(value, str) else self.texts(name)

    def json(self, name: str) -> Json:
        """A value sent as JSON text, or already parsed; None when absent."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"Invalid value for parameter {name}: must be valid JSON") from error
