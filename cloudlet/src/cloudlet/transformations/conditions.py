"""Turn a flat chain with `if_`, `if_else` and `if_end` into conditions with branches.

There are two forms. The long form is `if_w_gt_300/.../if_else/.../if_end`. The short form is one component,
`if_w_gt_300,c_scale,w_300`, which `if_else,w_100` may follow. A condition without `if_end` extends to the end of the
chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.expressions import Expression
from cloudlet.transformations.model import Condition, LayerStep, Node, Step

MAX_CONDITION_DEPTH = 8
_DELIVERY_FLAGS = frozenset({"attachment", "getinfo", "immutable_cache", "any_format"})
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Mark:
    """An `if_...`, `if_else` or `if_end` in a component. Only `if_` has an `expression`."""

    kind: Literal["if", "else", "end"]
    text: str
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Component(Generic[Item]):
    """The content between two slashes: a mark or None, and the items beside it."""

    mark: Mark | None
    items: tuple[Item, ...]

    def marks(self, kind: str) -> bool:
        """Return whether the component has a mark of that kind."""
        return self.mark is not None and self.mark.kind == kind


def build(
    components: Sequence[Component[Item]], nest: Callable[[list[Item | Node]], tuple[Node, ...]]
) -> tuple[Node, ...]:
    """Return the nodes of a chain.

    `nest` turns the items of one branch into nodes. Raises TransformationError if marks are out of place.
    """
    parts: list[Mark | Item] = _with_explicit_ends(components)
    return _Builder(parts, nest).branch(None)


def _with_explicit_ends(components: Sequence[Component[Item]]) -> list[Mark | Item]:
    """Convert conditions in the short form to the long form by adding the `if_end` that they leave out."""
    parts: list[Mark | Item] = []
    opened = 0
    skipped = False
    for position, component in enumerate(components):
        if skipped:
            skipped = False
            continue
        mark = component.mark
        if mark is not None and mark.kind != "if" and not opened:
            raise TransformationError(mark.text, f"if_{mark.kind} without a condition before it")
        parts += [mark, *component.items] if mark else component.items
        if component.marks("end"):
            opened -= 1
        elif component.marks("if"):
            if not component.items or (not opened and _has_own_end(components[position + 1 :])):
                opened += 1
                continue
            following = components[position + 1] if position + 1 < len(components) else None
            if following is not None and following.mark and following.marks("else") and following.items:
                parts += [following.mark, *following.items]
                skipped = True
            parts.append(Mark("end", "if_end"))
    return parts


def _has_own_end(following: Sequence[Component[Item]]) -> bool:
    """Return whether an `if_else` or `if_end` in `following` can only belong to the condition before it."""
    depth = short = 0
    for position, component in enumerate(following):
        if component.marks("if"):
            if component.items:
                short += not depth
            else:
                depth += 1
        elif component.marks("else") and not depth and not short and not (component.items and position == 0):
            return True
        elif component.marks("end"):
            if depth:
                depth -= 1
            elif short:
                short -= 1
            else:
                return True
    return False


class _Builder(Generic[Item]):
    def __init__(
        self, parts: Sequence[Mark | Item], nest: Callable[[list[Item | Node]], tuple[Node, ...]], depth: int = 0
    ) -> None:
        self._parts = list(reversed(parts))
        self._nest = nest
        self._depth = depth

    def branch(self, opener: Mark | None) -> tuple[Node, ...]:
        """Consume parts until the branch of `opener` ends, and return its nodes. The mark that ends it is kept."""
        items: list[Item | Node] = []
        while self._parts:
            part = self._parts[-1]
            if not isinstance(part, Mark):
                items.append(part)
                self._parts.pop()
            elif part.kind == "if":
                items.append(self._condition())
            else:
                break
        nodes = self._nest(items)
        if opener is not None:
            for node in nodes:
                _refuse_delivery_parameters(node, opener)
        return nodes

    def _condition(self) -> Condition:
        mark = self._parts.pop()
        assert isinstance(mark, Mark)  # noqa: S101 - the caller checked it
        assert mark.expression is not None  # noqa: S101 - an `if_` has one
        self._depth += 1
        if self._depth > MAX_CONDITION_DEPTH:
            raise TransformationError(mark.text, f"conditions may lie {MAX_CONDITION_DEPTH} deep at most")
        then = self.branch(mark)
        otherwise: tuple[Node, ...] = ()
        if self._next_is("else"):
            self._parts.pop()
            otherwise = self.branch(mark)
        if self._next_is("else"):
            raise TransformationError(mark.text, "a condition has one if_else at most")
        if self._next_is("end"):
            self._parts.pop()
        self._depth -= 1
        return Condition(mark.expression, mark.text, then, otherwise)

    def _next_is(self, kind: str) -> bool:
        part = self._parts[-1] if self._parts else None
        return isinstance(part, Mark) and part.kind == kind


def _refuse_delivery_parameters(node: Node, opener: Mark) -> None:
    """Raise TransformationError for parameters that a delivery must know before it reads the first pixel."""
    step = node.placement if isinstance(node, LayerStep) else node
    if not isinstance(step, Step):
        return
    given = (step.format, step.page, step.density, step.default_image, step.breakpoints)
    if any(value is not None for value in given) or step.flags & _DELIVERY_FLAGS:
        raise TransformationError(
            step.text, f"format, page, density, default image and attachment can't depend on {opener.text} in cloudlet"
        )
