"""Apply a parsed transformation to stored bytes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from PIL import Image

from cloudlet.media.limits import MAX_SIDE_PIXELS
from cloudlet.transformations.decoding import decode, extract_page, is_pdf
from cloudlet.transformations.drawing import apply_step
from cloudlet.transformations.encoding import encode
from cloudlet.transformations.errors import TransformationError
from cloudlet.transformations.layers import LayerCompositor
from cloudlet.transformations.model import Assignment, Condition, ImageLayer, LayerStep, Node, Step, Transformation
from cloudlet.transformations.scope import AssetFacts, Scope
from cloudlet.transformations.vocabulary import FORMATS

LoadLayer = Callable[[ImageLayer], bytes]
"""Return the stored bytes of an overlay. Raises MissingLayerError."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the work that one request may cause. `work_pixels` bounds the sum over all steps and frames."""

    source_pixels: int = 100_000_000
    step_pixels: int = 50_000_000
    work_pixels: int = 400_000_000
    side: int = MAX_SIDE_PIXELS


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered file and its format. The size is in pixels, or None for a page of a PDF."""

    content: bytes
    format: str
    width: int | None = None
    height: int | None = None


class PixelBudget:
    """Counts the pixels that a rendering makes, and raises before too many are made."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.work_pixels

    def spend(self, width: int, height: int, component: str) -> None:
        """Count an image before it is made. Raises TransformationError if it or the sum exceeds the limits."""
        pixels = width * height
        if max(width, height) > self._limits.side:
            reason = f"would make {width}x{height}; a side may have {self._limits.side} pixels at most"
            raise TransformationError(component, reason)
        if pixels > self._limits.step_pixels:
            most = self._limits.step_pixels / 1e6
            raise TransformationError(
                component, f"would make {width}x{height}; at most {most:g} megapixels are allowed"
            )
        self._left -= pixels
        if self._left < 0:
            raise TransformationError(component, "the whole transformation is too much work")


def _no_layers(layer: ImageLayer) -> bytes:
    raise TransformationError(f"l_{layer.public_id}", "no assets to overlay are available here")


def render(
    content: bytes,
    transformation: Transformation,
    format_name: str,
    *,
    load_layer: LoadLayer = _no_layers,
    limits: Limits | None = None,
    facts: AssetFacts | None = None,
) -> Rendered:
    """Transform `content` and encode the result as `format_name`, a key of `FORMATS`.

    Raises TransformationError, MissingLayerError or UnreadableSourceError.
    """
    if format_name not in FORMATS:
        raise TransformationError(
            format_name, f"this format can't be made by cloudlet; known are {', '.join(sorted(FORMATS))}"
        )
    limits = limits or Limits()
    page, flags = transformation.page, transformation.flags
    if format_name == "pdf" and is_pdf(content) and _only_selects_page(transformation):
        return Rendered(extract_page(content, page or 1), "pdf")
    source = decode(
        content,
        limits,
        page=page,
        density=transformation.density,
        animated=_keeps_animation(content, format_name, flags),
        upright="ignore" not in transformation.angles,
    )
    budget = PixelBudget(limits)
    frames = []
    for frame in source.frames:
        scope = Scope(frame.size, page or 1, facts or AssetFacts())
        layering = LayerCompositor(load_layer, limits, budget.spend, apply_chain, scope)
        frames.append(apply_chain(frame, transformation.nodes, layering))
    quality = next((step.quality for step in reversed(scope.applied) if step.quality), None)
    taken = frozenset(flag for step in scope.applied for flag in step.flags)
    encoded = encode(replace(source, frames=tuple(frames)), format_name, quality, taken)
    return Rendered(encoded.content, encoded.format, encoded.width, encoded.height)


def apply_chain(image: Image.Image, nodes: tuple[Node, ...], layering: LayerCompositor) -> Image.Image:
    """Apply the nodes one after another. Conditions are evaluated on the way, since they depend on earlier steps."""
    scope = layering.scope
    for node in nodes:
        match node:
            case Assignment():
                scope.assign(node, image.size)
            case Condition():
                branch = node.then if scope.holds(node, image.size) else node.otherwise
                image = apply_chain(image, branch, layering)
            case LayerStep():
                image = layering.apply(image, node)
                if layering.relative_to is None:
                    scope.applied.append(node.placement)
            case Step():
                step = scope.resolve(node, image.size)
                image = apply_step(image, step, layering.spend, layering.relative_to)
                if layering.relative_to is None:
                    scope.applied.append(step)
    return image


def _keeps_animation(content: bytes, format_name: str, flags: frozenset[str]) -> bool:
    is_gif, is_webp = content[:4] == b"GIF8", content[:4] == b"RIFF"
    if format_name == "gif":
        return is_gif or is_webp
    return format_name == "webp" and (is_webp or bool(flags & {"awebp", "animated"}))


def _only_selects_page(transformation: Transformation) -> bool:
    def neutral(node: Node) -> bool:
        if not isinstance(node, Step):
            return False
        kept = Step(
            text=node.text, page=node.page, flags=node.flags & {"attachment"}, attachment=node.attachment,
            format=node.format, quality=node.quality,
        )  # fmt: skip
        return node == kept

    return all(neutral(node) for node in transformation.nodes)
