"""`if_`, `if_else` and `if_end`: a flat chain to conditions with their branches.

They are written in two ways: `if_w_gt_300/.../if_else/.../if_end`, and for one component `if_w_gt_300,c_scale,w_300`,
perhaps followed by `if_else,w_100`. A condition that nothing ends holds to the end of the chain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.expressions import Expression
from cloudlet.transformations.model import Condition, LayerStep, Node, Step

MAX_DEPTH = 8
_OF_THE_DELIVERY = frozenset({"attachment", "getinfo", "immutable_cache", "any_format"})
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Mark:
    """`if_...`, `if_else` or `if_end` in a component; `expression` is what an `if_` asks."""

    kind: Literal["if", "else", "end"]
    text: str
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Component(Generic[Item]):
    """What stands between two slashes: perhaps a mark, and what comes with it."""

    mark: Mark | None
    items: tuple[Item, ...]

    def marks(self, kind: str) -> bool:
        return self.mark is not None and self.mark.kind == kind


def build(
    components: Sequence[Component[Item]], nest: Callable[[list[Item | Node]], tuple[Node, ...]]
) -> tuple[Node, ...]:
    """The nodes of a chain. `nest` puts the items of one branch together."""
    parts: list[Mark | Item] = _in_long_form(components)
    return _Builder(parts, nest).branch(None)


def _in_long_form(components: Sequence[Component[Item]]) -> list[Mark | Item]:
    """Adds the `if_end` that conditions of one component go without."""
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
            if not component.items or (not opened and _is_ended(components[position + 1 :])):
                opened += 1
                continue
            following = components[position + 1] if position + 1 < len(components) else None
            if following is not None and following.mark and following.marks("else") and following.items:
                parts += [following.mark, *following.items]
                skipped = True
            parts.append(Mark("end", "if_end"))
    return parts


def _is_ended(following: Sequence[Component[Item]]) -> bool:
    """Whether an `if_else` or `if_end` further on can only belong to the condition before `following`."""
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
        """What follows until the branch of `opener` ends; the mark that ends it is left where it is."""
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
                _refuse_for_delivery(node, opener)
        return nodes

    def _condition(self) -> Condition:
        mark = self._parts.pop()
        assert isinstance(mark, Mark)  # noqa: S101 - the caller looked
        assert mark.expression is not None  # noqa: S101 - an `if_` has one
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TransformationError(mark.text, f"conditions may lie {MAX_DEPTH} deep at most")
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


def _refuse_for_delivery(node: Node, opener: Mark) -> None:
    """What a delivery has to know before the first pixel is read can't depend on the pixels."""
    step = node.placement if isinstance(node, LayerStep) else node
    if not isinstance(step, Step):
        return
    given = (step.format, step.page, step.density, step.default_image, step.breakpoints)
    if any(value is not None for value in given) or step.flags & _OF_THE_DELIVERY:
        raise TransformationError(
            step.text, f"format, page, density, default image and attachment can't depend on {opener.text} in cloudlet"
        )
