"""What a transformation string means, as values. Nothing here knows Pillow or HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cloudlet.transformations.breakpoints import Breakpoints
from cloudlet.transformations.expressions import Expression, asks_the_asset

Corners = tuple[int, int, int, int]
RGBA = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Length:
    """A width, height or offset: pixels, or a share of the picture when `relative` (`w_0.5`)."""

    value: float
    relative: bool = False

    def pixels(self, whole: float, dpr: float = 1.0) -> float:
        return self.value * whole if self.relative else self.value * dpr


@dataclass(frozen=True, slots=True)
class Effect:
    """`e_name` or `e_name:argument:...`."""

    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "e_" + ":".join((self.name, *self.arguments))


@dataclass(frozen=True, slots=True)
class Border:
    width: int
    color: RGBA


@dataclass(frozen=True, slots=True)
class Background:
    """A plain colour, or one derived from the picture (`kind` is then `auto` or `blurred`)."""

    kind: Literal["color", "auto", "blurred"]
    color: RGBA = (0, 0, 0, 0)
    intensity: int = 100
    brightness: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """`level` is 1-100; None means that the encoder chooses by `auto` (best, good, eco or low)."""

    level: int | None = None
    auto: Literal["best", "good", "eco", "low"] | None = None
    full_chroma: bool = False


@dataclass(frozen=True, slots=True)
class TextStyle:
    family: str
    size: int
    weight: str = "normal"
    italic: bool = False
    underline: bool = False
    strikethrough: bool = False
    align: Literal["left", "center", "right"] = "left"
    line_spacing: int = 0
    letter_spacing: int = 0
    stroke: bool = False


@dataclass(frozen=True, slots=True)
class TextLayer:
    style: TextStyle
    text: str


@dataclass(frozen=True, slots=True)
class TextExpression:
    """A text layer with variables in its style (`l_text:$style:...`) or text (`Hello $(name)`)."""

    style: str | Expression
    pieces: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter whose value is computed when its turn comes. `pieces` are what stands between colons."""

    key: str
    pieces: tuple[str | Expression, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """An asset of the same cloud laid over or under the picture."""

    public_id: str
    delivery_type: str = "upload"


@dataclass(frozen=True, slots=True)
class Step:
    """One component between two slashes. A field that is None wasn't given."""

    text: str
    width: Length | None = None
    height: Length | None = None
    aspect_ratio: float | None = None
    crop: str | None = None
    gravity: str | None = None
    x: Length | None = None
    y: Length | None = None
    zoom: float = 1.0
    dpr: float = 1.0
    angles: tuple[str, ...] = ()
    effect: Effect | None = None
    radius: Corners | Literal["max"] | None = None
    border: Border | None = None
    background: Background | None = None
    color: RGBA | None = None
    opacity: int | None = None
    quality: Quality | None = None
    format: str | None = None
    page: int | None = None
    density: int | None = None
    default_image: str | None = None
    flags: frozenset[str] = frozenset()
    attachment: str | None = None
    breakpoints: Breakpoints | None = None
    deferred: tuple[Parameter, ...] = ()

    @property
    def resizes(self) -> bool:
        sized = self.width is not None or self.height is not None or self.aspect_ratio is not None
        return sized or self.dpr != 1.0 or self.crop is not None


@dataclass(frozen=True, slots=True)
class LayerStep:
    """A layer, how it is itself transformed, and (`placement`) where and how it lands on the picture."""

    source: TextLayer | TextExpression | ImageLayer
    below: bool
    steps: tuple["Node", ...]
    placement: Step


@dataclass(frozen=True, slots=True)
class Assignment:
    """`$name_value`. `name` has its dollar sign."""

    name: str
    expression: Expression
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`if_...` with what follows when it holds, and when it doesn't."""

    expression: Expression
    text: str
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...] = ()


Node = Step | LayerStep | Assignment | Condition


@dataclass(frozen=True, slots=True)
class Transformation:
    """A whole chain. The properties are what concerns the delivery rather than the pixels: the last one given wins."""

    nodes: tuple[Node, ...] = ()
    text: str = ""
    _flags: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        flags = frozenset(flag for step in self._steps() for flag in step.flags)
        object.__setattr__(self, "_flags", flags)

    def _steps(self) -> Iterator[Step]:
        return _outer_steps(self.nodes)

    @property
    def flags(self) -> frozenset[str]:
        return self._flags

    @property
    def angles(self) -> frozenset[str]:
        return frozenset(angle for step in self._steps() for angle in step.angles)

    @property
    def format(self) -> str | None:
        return next((step.format for step in reversed(list(self._steps())) if step.format), None)

    @property
    def quality(self) -> Quality | None:
        return next((step.quality for step in reversed(list(self._steps())) if step.quality), None)

    @property
    def page(self) -> int | None:
        return next((step.page for step in reversed(list(self._steps())) if step.page), None)

    @property
    def density(self) -> int | None:
        return next((step.density for step in reversed(list(self._steps())) if step.density), None)

    @property
    def default_image(self) -> str | None:
        return next((step.default_image for step in self._steps() if step.default_image), None)

    @property
    def attachment_name(self) -> str | None:
        return next((step.attachment for step in reversed(list(self._steps())) if step.attachment), None)

    @property
    def breakpoints(self) -> Breakpoints | None:
        """Set when not the picture is asked for but the widths that it is worth delivering in."""
        return next((step.breakpoints for step in self._steps() if step.breakpoints), None)

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """Every asset that the chain refers to, at any depth."""
        return tuple(_image_layers(self.nodes))

    @property
    def asks_the_asset(self) -> bool:
        """Whether the result depends on tags, context, metadata or faces, which change while the bytes do not."""
        return any(asks_the_asset(expression) for expression in _expressions(self.nodes))

    @property
    def changes_content(self) -> bool:
        """False when only headers are asked for (`fl_attachment`, `d_`): the original's own bytes then do."""
        return any(not _is_neutral(node, keep_format=False) for node in self.nodes)

    @property
    def changes_beyond_auto(self) -> bool:
        """Return False when, besides headers, a choice of format or quality at most is left to the server."""
        return any(not _is_neutral(node, keep_format=True, keep_automatic_quality=True) for node in self.nodes)

    @property
    def changes_pixels(self) -> bool:
        """False when, besides headers, at most a format is asked for."""
        return any(not _is_neutral(node, keep_format=True) for node in self.nodes)


def _is_neutral(node: Node, *, keep_format: bool, keep_automatic_quality: bool = False) -> bool:
    if isinstance(node, Assignment):
        return True
    if not isinstance(node, Step):
        return False
    return node == Step(
        text=node.text,
        flags=node.flags & {"attachment", "immutable_cache", "any_format", "getinfo"},
        attachment=node.attachment,
        default_image=node.default_image,
        breakpoints=node.breakpoints,
        format=node.format if keep_format else None,
        quality=node.quality if keep_automatic_quality and node.quality and node.quality.auto else None,
    )


def _outer_steps(nodes: tuple[Node, ...]) -> Iterator[Step]:
    """The steps of the picture itself, not those of its layers, on every branch."""
    for node in nodes:
        match node:
            case Step():
                yield node
            case LayerStep():
                yield node.placement
            case Condition():
                yield from _outer_steps(node.then)
                yield from _outer_steps(node.otherwise)


def _expressions(nodes: tuple[Node, ...]) -> Iterator[Expression]:
    for node in nodes:
        match node:
            case Assignment() | Condition():
                yield node.expression
            case Step():
                pieces = [piece for parameter in node.deferred for piece in parameter.pieces]
                yield from (piece for piece in pieces if not isinstance(piece, str))
        match node:
            case Condition():
                yield from _expressions((*node.then, *node.otherwise))
            case LayerStep():
                yield from _expressions((*node.steps, node.placement))


def _image_layers(nodes: tuple[Node, ...]) -> Iterator[ImageLayer]:
    for node in nodes:
        if isinstance(node, Condition):
            yield from _image_layers((*node.then, *node.otherwise))
        elif isinstance(node, LayerStep):
            if isinstance(node.source, ImageLayer):
                yield node.source
            yield from _image_layers(node.steps)
