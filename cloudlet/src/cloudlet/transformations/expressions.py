"""Parse and evaluate expressions such as `$x_mul_2`, `iw_div_2_add_10` and `w_gt_300_and_!sale!_in_tags`.

Operators and names are those of Cloudinary's pages on user-defined variables and conditional transformations.
From tightest to loosest, `pow` binds before multiplication, addition, comparisons, `and` and `or`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

MAX_TOKENS = 64
MAX_STRING_LENGTH = 1000
_TOKEN = re.compile(r"(?:(ctx|md):)?!([^!]*)!|([^_!]+)")
_NUMBER = re.compile(r"-?(?:\d{1,9}(?:\.\d{0,8})?|\.\d{1,8})")
_RATIO = re.compile(r"(\d{1,6}(?:\.\d{1,8})?):(\d{1,6}(?:\.\d{1,8})?)")
_VARIABLE = re.compile(r"\$[A-Za-z][A-Za-z0-9]*")
_NAMES = frozenset({"w", "h", "ar", "iw", "ih", "iar", "pc", "cp", "fc", "tags"})
_ARITHMETIC = re.compile(r"_(?:add|sub|mul|div|mod|pow)_")
_ASSET_NAMES = frozenset({"tags", "fc", "ctx", "md"})

Strings = tuple[str, ...]
Value = float | str | Strings


class LiteralNumber(float):
    """A number with its source text: the width `0.5` is a fraction, while a computed 0.5 would be half a pixel."""

    text: str

    def __new__(cls, text: str) -> "LiteralNumber":
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A variable (`$x`), a predefined name (`iw`), or a key of context or metadata (`kind` is then `ctx` or `md`)."""

    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A string followed by `to_i` or `to_f`."""

    kind: str
    operand: "Expression"


Expression = Constant | Name | Operation | Conversion
Lookup = Callable[[Name], Value]

_PRECEDENCE = (
    ("or",),
    ("and",),
    ("eq", "ne", "lt", "gt", "lte", "gte", "in", "nin"),
    ("add", "sub"),
    ("mul", "div", "mod"),
    ("pow",),
)
_OPERATORS = frozenset(operator for level in _PRECEDENCE for operator in level)


def is_expression(text: str) -> bool:
    """Return whether the value of a numeric parameter is an expression rather than a plain number."""
    return "$" in text or text in _NAMES or text.startswith(("ctx:!", "md:!")) or bool(_ARITHMETIC.search(text))


def parse_expression(text: str) -> Expression:
    """Parse an expression. Raises ValueError with the reason if it is invalid."""
    tokens = _tokens(text)
    if len(tokens) > MAX_TOKENS:
        raise ValueError(f"an expression may have at most {MAX_TOKENS} parts")
    expression, rest = _parse_level(tokens, 0)
    if rest:
        raise ValueError(f"{_describe(rest[0])} is out of place")
    return expression


_Token = str | Constant | Name


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position <= len(text):
        match = _TOKEN.match(text, position)
        if text.startswith("ref:!", position):
            raise ValueError("references to assets in variables are not implemented by cloudlet")
        if match is None or (match.end() < len(text) and text[match.end()] != "_"):
            raise ValueError(f"{text[position:][:60]!r} is not written VALUE_OPERATOR_VALUE")
        tokens.append(_token(match))
        position = match.end() + 1
    return tokens


def _token(match: re.Match[str]) -> _Token:
    kind, string, word = match.groups()
    if string is not None:
        if len(string) > MAX_STRING_LENGTH:
            raise ValueError(f"a string may have at most {MAX_STRING_LENGTH} characters")
        string = unquote(string)  # strings are escaped twice, so that their commas and slashes do not separate
        return Name(string, kind) if kind else Constant(string)
    if ratio := _RATIO.fullmatch(word):
        return Constant(_check_bounds(float(ratio[1]) / (float(ratio[2]) or math.nan)))
    if _NUMBER.fullmatch(word):
        return Constant(LiteralNumber(word))
    if _VARIABLE.fullmatch(word) or word in _NAMES:
        return Name(word)
    return word


def _parse_level(tokens: list[_Token], level: int) -> tuple[Expression, list[_Token]]:
    if level == len(_PRECEDENCE):
        return _parse_operand(tokens)
    left, rest = _parse_level(tokens, level + 1)
    while rest and rest[0] in _PRECEDENCE[level]:
        right, after = _parse_level(rest[1:], level + 1)
        left, rest = Operation(str(rest[0]), left, right), after
    return left, rest


def _parse_operand(tokens: list[_Token]) -> tuple[Expression, list[_Token]]:
    if not tokens:
        raise ValueError("it ends where a value is expected")
    first, *rest = tokens
    if isinstance(first, str):
        reason = "where a value is expected" if first in _OPERATORS else "is no number, variable or known name"
        raise ValueError(f"{_describe(first)} {reason}")
    operand: Expression = first
    while rest[:1] == ["to"] and rest[1:2] in (["i"], ["f"]):
        operand, rest = Conversion(str(rest[1]), operand), rest[2:]
    return operand, rest


def _describe(token: _Token) -> str:
    if isinstance(token, str):
        return repr(token[:60])
    if isinstance(token, Name):
        return repr(token.name[:60])
    return repr(token.value.text if isinstance(token.value, LiteralNumber) else str(token.value)[:60])


# ---------------------------------------------------------------------------------------------------- values


def evaluate(expression: Expression, lookup: Lookup) -> Value:
    """Compute the value of an expression.

    Raises ValueError if values have the wrong type, a divisor is zero, or a result is out of bounds.
    """
    match expression:
        case Constant(value):
            return value
        case Name():
            return lookup(expression)
        case Conversion(kind, operand):
            number = _to_float(evaluate(operand, lookup))
            return float(int(number)) if kind == "i" else number
        case Operation("and", left, right):
            return float(is_true(evaluate(left, lookup)) and is_true(evaluate(right, lookup)))
        case Operation("or", left, right):
            return float(is_true(evaluate(left, lookup)) or is_true(evaluate(right, lookup)))
        case Operation(operator, left, right):
            return _compute(operator, evaluate(left, lookup), evaluate(right, lookup))


def is_true(value: Value) -> bool:
    return bool(value)


def _to_float(value: Value) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return _as_number(value)


def _as_number(value: Value) -> float:
    if not isinstance(value, float):
        raise ValueError(f"{str(value)[:60]!r} is not a number")
    return value


def _check_bounds(value: float) -> float:
    if not math.isfinite(value) or abs(value) > 1e12:
        raise ValueError("the result is not a number or out of bounds")
    return value


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": lambda left, right: left < right,
    "gt": lambda left, right: left > right,
    "lte": lambda left, right: left <= right,
    "gte": lambda left, right: left >= right,
}
_CALCULATIONS: Mapping[str, Callable[[float, float], float]] = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
    "div": lambda left, right: left / right,
    "mod": lambda left, right: left % right,
    "pow": math.pow,
}


def _compute(operator: str, left: Value, right: Value) -> float:
    if operator in ("eq", "ne"):
        return float(_are_equal(left, right) == (operator == "eq"))
    if operator in ("in", "nin"):
        wanted, given = set(_items(left)), set(_items(right))
        return float(wanted <= given if operator == "in" else not wanted & given)
    if operator in _COMPARISONS:
        return float(_COMPARISONS[operator](_as_number(left), _as_number(right)))
    try:
        return _check_bounds(_CALCULATIONS[operator](_as_number(left), _as_number(right)))
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"it can't be computed: {error}") from error


def _are_equal(left: Value, right: Value) -> bool:
    if isinstance(left, tuple) or isinstance(right, tuple):
        return set(_items(left)) == set(_items(right))
    if isinstance(left, float) != isinstance(right, float):
        raise ValueError("a number is compared with a string; behind a string, _to_f makes it a number")
    return left == right


def _items(value: Value) -> Strings:
    """Return the items of a value: a string holds several, separated by colons."""
    if isinstance(value, float):
        return (value.text if isinstance(value, LiteralNumber) else f"{value:g}",)
    return tuple(item for item in value.split(":") if item) if isinstance(value, str) else value


def depends_on_asset(expression: Expression) -> bool:
    """Return whether the value depends on metadata of the asset, which can change while its bytes do not."""
    match expression:
        case Name(name, kind):
            return (kind or name) in _ASSET_NAMES
        case Operation(_, left, right):
            return depends_on_asset(left) or depends_on_asset(right)
        case Conversion(_, operand):
            return depends_on_asset(operand)
    return False
