"""The syntax tree of a transformation, as immutable values. It depends neither on Pillow nor on HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from cloudlet.transformations.breakpoints import Breakpoints
from cloudlet.transformations.expressions import Expression, depends_on_asset

Corners = tuple[int, int, int, int]
RGBA = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Length:
    """A width, height or offset: pixels, or a fraction of the image when `relative` (`w_0.5`)."""

    value: float
    relative: bool = False

    def pixels(self, whole: float, dpr: float = 1.0) -> float:
        """Return the length in pixels, for an image whose side is `whole` pixels."""
        return self.value * whole if self.relative else self.value * dpr


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect, written `e_name` or `e_name:argument:...`."""

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
    """A plain colour, or a background derived from the image (`kind` is then `auto` or `blurred`)."""

    kind: Literal["color", "auto", "blurred"]
    color: RGBA = (0, 0, 0, 0)
    intensity: int = 100
    brightness: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of a lossy format.

    `level` is 1-100, or None when the encoder chooses a level for `auto`.
    """

    level: int | None = None
    auto: Literal["best", "good", "eco", "low"] | None = None
    full_chroma: bool = False


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The style of a text layer. Size and spacings are in pixels."""

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
    """A text layer with variables in its style (`l_text:$style:...`) or its text (`Hello $(name)`)."""

    style: str | Expression
    pieces: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter whose value is computed while the chain is applied. `pieces` are its values between colons."""

    key: str
    pieces: tuple[str | Expression, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """An asset of the same cloud that is laid over or under the image."""

    public_id: str
    delivery_type: str = "upload"


@dataclass(frozen=True, slots=True)
class Step:
    """One component between two slashes. A field is None when its parameter was not given."""

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
        """Whether the step may change the size of the image."""
        sized = self.width is not None or self.height is not None or self.aspect_ratio is not None
        return sized or self.dpr != 1.0 or self.crop is not None


@dataclass(frozen=True, slots=True)
class LayerStep:
    """A layer: its source, the steps that transform it, and (`placement`) where and how it is put on the image."""

    source: TextLayer | TextExpression | ImageLayer
    below: bool
    steps: tuple["Node", ...]
    placement: Step


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment to a variable, written `$name_value`. `name` includes the dollar sign."""

    name: str
    expression: Expression
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """An `if_...` with its two branches."""

    expression: Expression
    text: str
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...] = ()


Node = Step | LayerStep | Assignment | Condition


@dataclass(frozen=True, slots=True)
class Transformation:
    """A whole chain of steps.

    The properties collect the parameters that concern the delivery rather than the pixels. Where several steps give
    one, the last step wins, except for `default_image` and `breakpoints`, where the first does.
    """

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
        """The settings of a request for responsive breakpoints, which is answered with widths instead of an image."""
        return next((step.breakpoints for step in self._steps() if step.breakpoints), None)

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """All assets that the chain refers to, at any depth."""
        return tuple(_image_layers(self.nodes))

    @property
    def depends_on_asset(self) -> bool:
        """Whether the result depends on tags, context, metadata or faces, which can change while the bytes do not."""
        return any(depends_on_asset(expression) for expression in _expressions(self.nodes))

    @property
    def changes_content(self) -> bool:
        """Whether new bytes must be made. False when the chain only changes headers (`fl_attachment`, `d_`)."""
        return any(not _is_neutral(node, keep_format=False) for node in self.nodes)

    @property
    def changes_beyond_auto(self) -> bool:
        """Whether the chain asks for more than headers, a format and an automatic quality."""
        return any(not _is_neutral(node, keep_format=True, keep_automatic_quality=True) for node in self.nodes)

    @property
    def changes_pixels(self) -> bool:
        """Whether the chain asks for more than headers and a format."""
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
    """Yield the steps of the image itself, on all branches, but not those of its layers."""
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
