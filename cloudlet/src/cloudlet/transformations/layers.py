"""Overlays and underlays: load or draw the layer's image, transform it, and composite it with the base image."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from cloudlet.transformations.decoding import PixelLimit, decode
from cloudlet.transformations.effects import BLEND_MODES
from cloudlet.transformations.geometry import Size, place
from cloudlet.transformations.model import ImageLayer, LayerStep, Node, Step, TextExpression, TextLayer
from cloudlet.transformations.scope import Scope
from cloudlet.transformations.text import draw_text

Spend = Callable[[int, int, str], None]
_TRANSPARENT = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class LayerCompositor:
    """Applies layers to an image, with what they need of the rendering that they belong to.

    `apply_chain` runs a layer's own steps.
    """

    load: Callable[[ImageLayer], bytes]
    limits: PixelLimit
    spend: Spend
    apply_chain: Callable[[Image.Image, tuple[Node, ...], "LayerCompositor"], Image.Image]
    scope: Scope
    relative_to: Size | None = None

    def apply(self, base: Image.Image, layer: LayerStep) -> Image.Image:
        """Return `base` with the layer on it.

        Raises MissingLayerError, TransformationError or UnreadableSourceError.
        """
        layer = self._resolve(layer, base.size)
        inner = replace(self, relative_to=base.size)
        picture = self.apply_chain(self._source_image(layer), self._own_steps(layer), inner)
        return self._compose(base, picture, layer)

    def _resolve(self, layer: LayerStep, size: Size) -> LayerStep:
        """Compute the expressions of the components that open and place the layer. They refer to the base image."""
        first, *rest = layer.steps
        if isinstance(first, Step):
            first = self.scope.resolve(first, size)
        source = layer.source
        if isinstance(source, TextExpression):
            source = self.scope.resolve_text_layer(source, size, _first(layer).text)
        return replace(layer, source=source, steps=(first, *rest), placement=self.scope.resolve(layer.placement, size))

    def _source_image(self, layer: LayerStep) -> Image.Image:
        first = _first(layer)
        if isinstance(layer.source, ImageLayer):
            source = decode(self.load(layer.source), self.limits, page=first.page)
            return source.frames[0]
        assert isinstance(layer.source, TextLayer)  # noqa: S101 - `apply` replaced the variables
        width = round(first.width.value) if first.width and not first.width.relative else None
        wraps = width if first.crop in ("fit", "limit") else None
        return draw_text(layer.source, first.color or (0, 0, 0, 255), first.background, wraps, self.spend)

    @staticmethod
    def _own_steps(layer: LayerStep) -> tuple[Node, ...]:
        """Return the layer's steps without what drawing the text has done: wrapping to a width, and the background."""
        first, *rest = layer.steps
        if not (isinstance(first, Step) and isinstance(layer.source, TextLayer)):
            return layer.steps
        first = replace(first, background=None)
        if first.crop in ("fit", "limit"):
            first = replace(first, width=None, height=None, crop=None)
        return (first, *rest)

    def _compose(self, base: Image.Image, picture: Image.Image, layer: LayerStep) -> Image.Image:
        placement = layer.placement
        left, top = place(picture.size, base.size, placement)
        grown = (
            min(0, left),
            min(0, top),
            max(base.width, left + picture.width),
            max(base.height, top + picture.height),
        )
        if "no_overflow" in placement.flags or layer.below:
            grown = (0, 0, *base.size)
        size = grown[2] - grown[0], grown[3] - grown[1]
        self.spend(*size, placement.text)
        canvas = Image.new("RGBA", size, _TRANSPARENT)
        over = Image.new("RGBA", size, _TRANSPARENT)
        canvas.paste(base.convert("RGBA"), (-grown[0], -grown[1]))
        over.paste(picture.convert("RGBA"), (left - grown[0], top - grown[1]))
        below, above = (over, canvas) if layer.below else (canvas, over)
        opaque = base.mode in ("L", "RGB") and size == base.size
        if placement.effect is not None:
            above = _blend(below, above, placement.effect.name)
        composed = Image.alpha_composite(below, above)
        return composed.convert("RGB") if opaque else composed


def _blend(below: Image.Image, above: Image.Image, mode: str) -> Image.Image:
    """Blend `above` with `below` where `below` is not transparent, and return it with its own alpha channel."""
    colours = above.convert("RGB")
    mixed = Image.composite(BLEND_MODES[mode](below.convert("RGB"), colours), colours, below.getchannel("A"))
    mixed.putalpha(above.getchannel("A"))
    return mixed


def _first(layer: LayerStep) -> Step:
    first = layer.steps[0]
    return first if isinstance(first, Step) else Step(text="")
