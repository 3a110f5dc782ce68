"""Parameters whose value is an expression: `w_iw_div_2`, `r_10:$x`, `e_$effect:100`."""

from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.expressions import Expression, is_expression, parse_expression
from cloudlet.transformations.model import Parameter
from cloudlet.transformations.parameters import READERS

_NUMERIC = frozenset({"w", "h", "x", "y", "ar", "a", "o", "q", "z", "dpr"})
_SEVERAL = frozenset({"e", "r"})
_NAMED = frozenset({"b", "c", "co", "g"})


def read_late_bound(key: str, value: str, part: str) -> Parameter | None:
    """Return the parameter if its value holds an expression, else None.

    Numbers may be expressions. Keywords such as colours and crop modes may be one variable. Format, flags, page and the
    like may not contain variables, since the delivery needs them before anything is computed.

    Raises TransformationError if the expression is invalid, or if the parameter may not contain one.
    """
    try:
        if key in _NUMERIC:
            return Parameter(key, (parse_expression(value),), part) if is_expression(value) else None
        if key in _SEVERAL:
            pieces = tuple(_piece(text) for text in value.split(":"))
            return None if all(isinstance(piece, str) for piece in pieces) else Parameter(key, pieces, part)
        if key in _NAMED and value.startswith("$"):
            return Parameter(key, (parse_expression(value),), part)
    except ValueError as error:
        raise TransformationError(part, str(error)) from None
    if "$" in value and key in READERS:
        raise TransformationError(part, f"variables are not implemented by cloudlet in {key}_")
    return None


def _piece(text: str) -> str | Expression:
    return parse_expression(text) if is_expression(text) else text
