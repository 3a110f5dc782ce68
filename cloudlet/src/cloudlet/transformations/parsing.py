"""Parse the text of a transformation, such as `w_200,h_200,c_fill/e_grayscale`, into a `Transformation`."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cloudlet.transformations.conditions import Component, Mark, build
from cloudlet.transformations.effects import BLEND_MODES
from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.expressions import Expression, parse_expression
from cloudlet.transformations.late_binding import read_late_bound
from cloudlet.transformations.layer_syntax import parse_layer
from cloudlet.transformations.model import (
    Assignment,
    ImageLayer,
    LayerStep,
    Node,
    Parameter,
    Step,
    TextExpression,
    TextLayer,
    Transformation,
)
from cloudlet.transformations.parameters import READERS, check_combination
from cloudlet.transformations.vocabulary import NOT_IMPLEMENTED

NamedTransformations = Callable[[str], str | None]
"""Return the text of the named transformation `t_name`, or None if there is none of that name."""

MAX_TEXT_LENGTH = 8192
MAX_COMPONENTS = 64
MAX_NESTING = 4
_PLACEMENT = ("gravity", "x", "y")
_PLACEMENT_KEYS = ("g", "x", "y")
_Source = TextLayer | TextExpression | ImageLayer
_KEY = re.compile(r"(\$[A-Za-z][A-Za-z0-9]*|[a-z]{1,3})_")


def parse(text: str, named: NamedTransformations = lambda name: None) -> Transformation:
    """Return the transformation that `text`, already percent-decoded, describes.

    Raises TransformationError, which names the component at fault.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise TransformationError(text[:60] + "...", f"a transformation may have at most {MAX_TEXT_LENGTH} characters")
    components: list[Component[_Item]] = []
    for component in _expand(text, named, MAX_NESTING):
        if len(components) >= MAX_COMPONENTS:
            raise TransformationError(component, f"a chain may have at most {MAX_COMPONENTS} components")
        components.append(_parse_component(component))
    return Transformation(build(components, _nest_layers), text)


def looks_like_transformation(segment: str) -> bool:
    """Return whether a path segment of a URL reads as a component.

    It does when each of its parts starts with a parameter of the language, supported by cloudlet or not.
    """
    return bool(segment) and all(_key_of(part) is not None for part in segment.split(","))


def _key_of(part: str) -> str | None:
    match = _KEY.match(part)
    if not match or match.end() == len(part):
        return None
    key = "$" if match[1].startswith("$") else match[1]
    return key if key in READERS or key in NOT_IMPLEMENTED or key in ("l", "u", "t", "$", "if") else None


def _expand(text: str, named: NamedTransformations, depth: int) -> list[str]:
    """Return the components of a chain, with each `t_name` replaced by the components of that transformation."""
    components = []
    for component in text.split("/"):
        if not component:
            raise TransformationError(text, "there is an empty component between two slashes")
        parts = component.split(",")
        if parts[0].startswith("if_") and any(part.startswith("t_") for part in parts):
            raise TransformationError(component, "between if_ and if_end, t_ goes into a component of its own")
        for part in parts:
            if part.startswith("t_"):
                for name in part[2:].split("."):
                    components += _expand(_lookup(name, part, named, depth), named, depth - 1)
        rest = ",".join(part for part in parts if not part.startswith("t_"))
        if rest:
            components.append(rest)
    return components


def _lookup(name: str, part: str, named: NamedTransformations, depth: int) -> str:
    if depth == 0:
        raise TransformationError(part, "named transformations refer to one another too deeply")
    definition = named(name)
    if definition is None:
        raise TransformationError(part, f"Named transformation {name} doesn't exist")
    return definition


class _OpenLayer:
    """A layer component while it is not known yet which later components belong to it."""

    def __init__(self, source: _Source, below: bool, fields: dict[str, Any], text: str) -> None:
        self.source = source
        self.below = below
        self.fields = fields
        self.text = text

    def close(self, inner: tuple[Node, ...], placement: Step | None) -> LayerStep:
        """Return the finished layer.

        `placement` is the step with `fl_layer_apply`. If it is None, the layer's own component says where it is put.
        """
        deferred: tuple[Parameter, ...] = self.fields.get("deferred", ())
        own = {name: value for name, value in self.fields.items() if name not in _PLACEMENT}
        blend = own.pop("effect") if own.get("effect") and own["effect"].name in BLEND_MODES else None
        own["deferred"] = tuple(parameter for parameter in deferred if parameter.key not in _PLACEMENT_KEYS)
        steps: tuple[Node, ...] = (Step(text=self.text, **own), *inner)
        if placement is None:
            where = {name: self.fields[name] for name in (*_PLACEMENT, "flags") if name in self.fields}
            where["deferred"] = tuple(parameter for parameter in deferred if parameter.key in _PLACEMENT_KEYS)
            placement = Step(text=self.text, **where)
        if blend is not None:
            placement = replace(placement, effect=blend)
        return LayerStep(self.source, self.below, steps, placement)


_Item = Step | _OpenLayer | Assignment


def _parse_component(component: str) -> Component[_Item]:
    """Parse one component: a condition comes first, then variables, then the other parameters."""
    parts = component.split(",")
    mark = _read_mark(parts.pop(0)) if parts[0].startswith("if_") else None
    assignments: list[_Item] = []
    while parts and _key_of(parts[0]) == "$":
        assignments.append(_read_assignment(parts.pop(0)))
    if not parts and (mark or assignments):
        return Component(mark, tuple(assignments))
    if mark is not None and mark.kind == "end":
        raise TransformationError(component, "if_end stands alone")
    return Component(mark, (*assignments, _parse_step(parts, component)))


def _read_mark(part: str) -> Mark:
    text = part.removeprefix("if_")
    if text == "else":
        return Mark("else", part)
    return Mark("end", part) if text == "end" else Mark("if", part, _read_expression(text, part))


def _read_assignment(part: str) -> Assignment:
    name, _, text = part.partition("_")
    return Assignment(name, _read_expression(text, part), part)


def _read_expression(text: str, part: str) -> Expression:
    try:
        return parse_expression(text)
    except ValueError as error:
        raise TransformationError(part, str(error)) from None


def _parse_step(parts: list[str], component: str) -> Step | _OpenLayer:
    fields: dict[str, Any] = {"flags": frozenset()}
    deferred: dict[str, Parameter] = {}
    layer: tuple[_Source, bool] | None = None
    for part in parts:
        key, value = _split(part)
        if key in ("l", "u"):
            if layer is not None:
                raise TransformationError(part, "a component can hold one layer only")
            layer = (_read_layer(part, value), key == "u")
        elif (parameter := read_late_bound(key, value, part)) is not None:
            if key in deferred:
                raise TransformationError(part, f"{key} is given twice in one component")
            deferred[key] = parameter
        else:
            _add(fields, _read(key, value, part), part)
    if deferred:
        fields["deferred"] = tuple(deferred.values())
    if layer is not None:
        return _OpenLayer(*layer, fields, component)
    if not deferred:  # otherwise Scope.resolve checks it, when the values are known
        try:
            check_combination(fields)
        except ValueError as error:
            raise TransformationError(component, str(error)) from None
    return Step(text=component, **fields)


def _add(fields: dict[str, Any], read: dict[str, Any], part: str) -> None:
    clash = fields.keys() & read.keys() - {"flags", "attachment"}
    if clash:
        raise TransformationError(part, f"{min(clash)} is given twice in one component")
    fields["flags"] |= read.pop("flags", frozenset())
    fields |= {name: value for name, value in read.items() if name != "attachment" or value}


def _split(part: str) -> tuple[str, str]:
    key = _key_of(part)
    if key is None:
        raise TransformationError(part or ",", "no such transformation parameter")
    if key in ("$", "if"):
        raise TransformationError(part, "in a component, a condition comes first, then variables, then what is done")
    if key in NOT_IMPLEMENTED:
        raise TransformationError(part, NOT_IMPLEMENTED[key])
    return key, part[len(key) + 1 :]


def _read(key: str, value: str, part: str) -> dict[str, Any]:
    try:
        return READERS[key](value)
    except ValueError as error:
        raise TransformationError(part, str(error)) from None


def _read_layer(part: str, value: str) -> _Source:
    try:
        return parse_layer(value)
    except ValueError as error:
        raise TransformationError(part, str(error)) from None


def _nest_layers(parts: list[_Item | Node]) -> tuple[Node, ...]:
    """Match each `fl_layer_apply` with the last open layer. A layer without one consists of its own component only."""
    nodes: list[Node | _OpenLayer] = []
    for part in parts:
        if isinstance(part, Step) and "layer_apply" in part.flags:
            start = next((i for i in reversed(range(len(nodes))) if isinstance(nodes[i], _OpenLayer)), None)
            if start is None:
                raise TransformationError(part.text, "fl_layer_apply without a layer to apply")
            opener, inner = nodes[start], nodes[start + 1 :]
            assert isinstance(opener, _OpenLayer)  # noqa: S101 - narrows the type found just above
            if part.effect is not None and part.effect.name not in BLEND_MODES:
                raise TransformationError(
                    part.text, f"{part.effect} beside fl_layer_apply is not implemented by cloudlet"
                )
            nodes[start:] = [opener.close(_close_all(inner), part)]
        else:
            if isinstance(part, Step) and part.effect is not None and part.effect.name in BLEND_MODES:
                raise TransformationError(part.text, f"{part.effect} blends a layer: it belongs beside fl_layer_apply")
            nodes.append(part)
    return _close_all(nodes)


def _close_all(nodes: list[Node | _OpenLayer]) -> tuple[Node, ...]:
    return tuple(node.close((), None) if isinstance(node, _OpenLayer) else node for node in nodes)
