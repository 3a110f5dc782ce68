"""Parse search expressions into a tree.

The syntax is that of https://cloudinary.com/documentation/search_expressions: ``field:value`` matches words and
``field=value`` matches exactly. ``> < >= <=``, ``[a TO b]`` and ``{a TO b}`` compare. ``AND``, ``OR``, ``NOT`` and
parentheses combine. A trailing ``*`` matches a prefix. Quotes and backslashes escape characters.
"""

import dataclasses
import re

from cloudlet.errors import bad_request

MAX_EXPRESSION_LENGTH = 5000
MAX_TERMS = 200
_MAX_NESTING = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A literal. ``prefix`` is set if it ends in an unescaped ``*``."""

    text: str
    prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """A term ``field operator value``. Without a field, it searches all texts. A range (``[]``) also has ``upper``."""

    field: str
    operator: str
    value: Value
    upper: Value | None = None
    open_ends: tuple[bool, bool] = (False, False)


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    operand: "Node"


@dataclasses.dataclass(frozen=True, slots=True)
class Combined:
    """An ``AND`` or ``OR`` of at least two parts."""

    operator: str
    parts: tuple["Node", ...]


Node = Term | Not | Combined

_TOKENS = re.compile(
    r"""\s*(?:
      (?P<quoted>"(?:[^"\\]|\\.)*"\*?)
    | (?P<symbol>>=|<=|!=|[():=<>\[\]{}])
    | (?P<word>(?:\\.|[^\s():=<>\[\]{}"])+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = frozenset({":", "=", ">", "<", ">=", "<=", "!="})
_KEYWORDS = frozenset({"AND", "OR", "NOT", "TO"})


@dataclasses.dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse(expression: str) -> Node | None:
    """Return the tree of an expression, or None if it is empty. Raises ApiError 400 if it is invalid."""
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise bad_request(f"Invalid search expression: longer than {MAX_EXPRESSION_LENGTH} characters")
    tokens = _tokenize(expression)
    if not tokens:
        return None
    parser = _Parser(tokens)
    node = parser.alternatives(0)
    parser.expect_end()
    return node


def _tokenize(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while expression[position:].strip():
        match = _TOKENS.match(expression, position)
        if match is None:
            raise _invalid(expression[position : position + 20])
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match.group(kind)))
        position = match.end()
    return tokens


def _invalid(near: str) -> Exception:
    return bad_request(f"Invalid search expression near '{near.strip()}'")


class _Parser:
    """A recursive descent parser. From loosest to tightest, the operators are OR, AND and NOT."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._terms = 0

    def _peek(self) -> _Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise bad_request("Invalid search expression: it ends too early")
        self._position += 1
        return token

    def _accept(self, text: str) -> bool:
        token = self._peek()
        if token is not None and token.text == text and token.kind != "quoted":
            self._position += 1
            return True
        return False

    def expect_end(self) -> None:
        token = self._peek()
        if token is not None:
            raise _invalid(token.text)

    def alternatives(self, depth: int) -> Node:
        parts = [self._conjunction(depth)]
        while self._accept("OR"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Combined("OR", tuple(parts))

    def _conjunction(self, depth: int) -> Node:
        parts = [self._negation(depth)]
        while True:
            token = self._peek()
            if token is None or (token.kind != "quoted" and token.text in ("OR", ")")):
                break
            self._accept("AND")
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else Combined("AND", tuple(parts))

    def _negation(self, depth: int) -> Node:
        if depth > _MAX_NESTING:
            raise bad_request("Invalid search expression: nested too deeply")
        if self._accept("NOT"):
            return Not(self._negation(depth + 1))
        if self._accept("("):
            node = self.alternatives(depth + 1)
            if not self._accept(")"):
                raise bad_request("Invalid search expression: a bracket is not closed")
            return node
        return self._term()

    def _term(self) -> Node:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise bad_request(f"Invalid search expression: more than {MAX_TERMS} terms")
        token = self._take()
        if token.kind == "symbol" or token.text in _KEYWORDS:
            raise _invalid(token.text)
        operator = self._peek()
        if token.kind == "quoted" or operator is None or operator.text not in _COMPARISONS:
            return Term("", ":", _value(token))
        if token.text.startswith("-") and len(token.text) > 1:
            return Not(self._comparison(token.text[1:]))
        return self._comparison(token.text)

    def _comparison(self, field: str) -> Node:
        operator = self._take().text
        token = self._take()
        if token.text in ("[", "{") and token.kind == "symbol":
            return self._range(field, token.text)
        if token.text == "(" and token.kind == "symbol":
            return self._group(field, operator)
        if operator == "!=":
            return Not(Term(field, "=", _value(token)))
        return Term(field, operator, _value(token))

    def _group(self, field: str, operator: str) -> Node:
        """Parse the rest of ``field:(one OR other)``."""
        parts: list[Node] = [Term(field, operator, _value(self._take()))]
        joiner = ""
        while not self._accept(")"):
            word = self._take().text
            if word not in ("AND", "OR") or joiner not in ("", word):
                raise _invalid(word)
            joiner = word
            parts.append(Term(field, operator, _value(self._take())))
        return parts[0] if len(parts) == 1 else Combined(joiner, tuple(parts))

    def _range(self, field: str, opening: str) -> Node:
        low = _value(self._take())
        if not self._accept("TO"):
            raise bad_request("Invalid search expression: a range is written [low TO high]")
        high = _value(self._take())
        closing = self._take().text
        if closing not in ("]", "}"):
            raise _invalid(closing)
        return Term(field, "[]", low, high, (opening == "{", closing == "}"))


def _value(token: _Token) -> Value:
    text = token.text
    if token.kind == "symbol":
        raise _invalid(text)
    prefix = text.endswith("*") and not text.endswith("\\*")
    if prefix:
        text = text[:-1]
    if token.kind == "quoted":
        text = text[1:-1]
        if text.endswith("*") and not text.endswith("\\*"):
            text, prefix = text[:-1], True
    return Value(re.sub(r"\\(.)", r"\1", text), prefix)
