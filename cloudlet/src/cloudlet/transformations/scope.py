"""The values that expressions refer to while a chain is applied: variables, sizes and facts about the asset."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.expressions import Expression, LiteralNumber, Name, Value, evaluate, is_true
from cloudlet.transformations.layer_syntax import parse_text_layer
from cloudlet.transformations.model import Assignment, Condition, Step, TextExpression, TextLayer
from cloudlet.transformations.parameters import READERS, check_combination

Size = tuple[int, int]
_DECIMAL_KEYS = frozenset({"ar", "dpr", "z"})


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """The properties of an asset, besides its pixels, that expressions can refer to."""

    pages: int = 1
    faces: int = 0
    tags: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Scope:
    """The state of one run of a chain.

    `applied` collects the steps that were applied, with their computed values.
    """

    def __init__(self, initial: Size, page: int, facts: AssetFacts) -> None:
        self.applied: list[Step] = []
        self._initial = initial
        self._page = page
        self._facts = facts
        self._variables: dict[str, Value] = {}

    def assign(self, node: Assignment, size: Size) -> None:
        """Set a variable. Its expression is computed for an image of `size`. Raises TransformationError."""
        self._variables[node.name] = self._value(node.expression, size, node.text)

    def holds(self, node: Condition, size: Size) -> bool:
        """Return whether a condition is true for an image of `size`. Raises TransformationError."""
        return is_true(self._value(node.expression, size, node.text))

    def resolve(self, step: Step, size: Size) -> Step:
        """Return the step with its expressions computed, for an image of `size`. Raises TransformationError."""
        if not step.deferred:
            return step
        found: dict[str, Any] = {}
        for parameter in step.deferred:
            texts = [
                piece if isinstance(piece, str) else self._format_value(parameter.key, piece, size, step.text)
                for piece in parameter.pieces
            ]
            try:
                found |= READERS[parameter.key](":".join(texts))
            except ValueError as error:
                raise TransformationError(parameter.text, str(error)) from None
        complete = replace(step, deferred=(), **found)
        try:
            check_combination({item.name: getattr(complete, item.name) for item in fields(complete)})
        except ValueError as error:
            raise TransformationError(step.text, str(error)) from None
        return complete

    def resolve_text_layer(self, source: TextExpression, size: Size, component: str) -> TextLayer:
        """Return the text layer with its variables replaced by their values. Raises TransformationError."""
        style = (
            source.style if isinstance(source.style, str) else self._format_value("l", source.style, size, component)
        )
        texts = [
            piece if isinstance(piece, str) else self._format_value("l", piece, size, component)
            for piece in source.pieces
        ]
        try:
            return parse_text_layer(style, "".join(texts))
        except ValueError as error:
            raise TransformationError(component, str(error)) from None

    def _value(self, expression: Expression, size: Size, component: str) -> Value:
        def lookup(name: Name) -> Value:
            return self._lookup(name, size)

        try:
            return evaluate(expression, lookup)
        except ValueError as error:
            raise TransformationError(component, str(error)) from None

    def _format_value(self, key: str, expression: Expression, size: Size, component: str) -> str:
        """Compute an expression and write its value as the parameter `key` expects it."""
        value = self._value(expression, size, component)
        if isinstance(value, LiteralNumber):
            return value.text
        if isinstance(value, float):
            return f"{value:.6f}".rstrip("0").rstrip(".") if key in _DECIMAL_KEYS else str(round(value))
        return value if isinstance(value, str) else ":".join(value)

    def _lookup(self, name: Name, size: Size) -> Value:
        if name.kind:
            known = self._facts.context if name.kind == "ctx" else self._facts.metadata
            value = known.get(name.name, "")
            return tuple(str(item) for item in value) if isinstance(value, list) else str(value)
        if name.name.startswith("$"):
            if name.name not in self._variables:
                raise ValueError(f"the variable {name.name} has no value here")
            return self._variables[name.name]
        if name.name == "tags":
            return self._facts.tags
        (width, height), (initial_width, initial_height) = size, self._initial
        numbers = {
            "w": width,
            "h": height,
            "ar": width / height,
            "iw": initial_width,
            "ih": initial_height,
            "iar": initial_width / initial_height,
            "pc": self._facts.pages,
            "cp": self._page,
            "fc": self._facts.faces,
        }
        return float(numbers[name.name])
