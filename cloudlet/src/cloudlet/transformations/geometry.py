"""Plan a resize: the size to scale to, the part to keep, and the canvas to put it on.

The semantics are those of Cloudinary's pages on image resize, padding and crop modes.
"""

from dataclasses import dataclass

from cloudlet.transformations.model import Length, Step
from cloudlet.transformations.vocabulary import COMPASS

Size = tuple[int, int]
Box = tuple[int, int, int, int]
FILL_PAD_MAX_CROP_SHARE = 0.25
"""`fill_pad` crops at most this fraction of a side before it pads. Cloudinary decides by content instead."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The plan of a resize: scale to `scaled`, crop to `box` (left, top, right, bottom), paste at `offset` on `canvas`.

    A `box` of None keeps all of the scaled image. A `canvas` of None needs no padding.
    """

    scaled: Size
    box: Box | None = None
    canvas: Size | None = None
    offset: tuple[int, int] = (0, 0)

    @property
    def size(self) -> Size:
        """The size of the resulting image."""
        if self.canvas:
            return self.canvas
        return (self.box[2] - self.box[0], self.box[3] - self.box[1]) if self.box else self.scaled


@dataclass(frozen=True, slots=True)
class _Target:
    width: float | None
    height: float | None

    def scale_inside(self, size: Size) -> float:
        """Return the largest factor at which the image fits into the target."""
        return min(self._factors(size))

    def scale_over(self, size: Size) -> float:
        """Return the smallest factor at which the image covers the target."""
        return max(self._factors(size))

    def _factors(self, size: Size) -> list[float]:
        pairs = ((self.width, size[0]), (self.height, size[1]))
        return [wanted / have for wanted, have in pairs if wanted is not None] or [1.0]

    def or_size(self, size: Size) -> Size:
        """Return the target in whole pixels, with the sides of `size` where the target has none."""
        return _whole(self.width or size[0]), _whole(self.height or size[1])


def plan_resize(size: Size, step: Step, relative_to: Size | None = None) -> Placement:
    """Return how `step` resizes an image of `size`. Fractions refer to `relative_to`, by default the image itself."""
    crop = step.crop or "scale"
    target = _target(size, step, crop, relative_to or size)
    if crop == "scale":
        return Placement(_scale_size(size, target, "ignore_aspect_ratio" in step.flags))
    if crop == "crop":
        wanted = target.or_size(size)
        return Placement(size, _crop_box(size, wanted, step))
    if crop in ("fit", "limit", "mfit"):
        factor = target.scale_inside(size)
        factor = min(1.0, factor) if crop == "limit" else max(1.0, factor) if crop == "mfit" else factor
        return Placement(_scaled(size, factor))
    if crop in ("fill", "lfill", "thumb", "auto"):
        return _fill(size, target, step, may_enlarge=crop != "lfill")
    return _pad(size, target, step, crop)


def _target(size: Size, step: Step, crop: str, whole: Size) -> _Target:
    width = _pixels(step.width, whole[0], step.dpr)
    height = _pixels(step.height, whole[1], step.dpr)
    ratio = step.aspect_ratio
    if ratio and width is not None and height is None:
        height = width / ratio
    elif ratio and height is not None and width is None:
        width = height * ratio
    elif ratio and width is None and height is None:
        width, height = _from_ratio(size, ratio, enclosing=crop.endswith("pad"))
        width, height = width * step.dpr, height * step.dpr
    elif width is None and height is None and step.dpr != 1.0:
        width, height = size[0] * step.dpr, size[1] * step.dpr
    return _Target(width, height)


def _pixels(length: Length | None, whole: int, dpr: float) -> float | None:
    if length is None:
        return None
    return max(1.0, length.value * whole * dpr if length.relative else length.value * dpr)


def _from_ratio(size: Size, ratio: float, *, enclosing: bool) -> tuple[float, float]:
    """Return the largest box of this ratio inside the image, or (`enclosing`) the smallest box around it."""
    width, height = size
    too_wide = width / height > ratio
    if too_wide != enclosing:
        return height * ratio, float(height)
    return float(width), width / ratio


def _scale_size(size: Size, target: _Target, ignore_ratio: bool) -> Size:
    if target.width is not None and target.height is not None:
        return _whole(target.width), _whole(target.height)
    if ignore_ratio:
        return target.or_size(size)
    return _scaled(size, target.scale_inside(size))


def _fill(size: Size, target: _Target, step: Step, *, may_enlarge: bool) -> Placement:
    if target.width is None or target.height is None:
        factor = target.scale_inside(size)
        return Placement(_scaled(size, factor if may_enlarge else min(1.0, factor)))
    wanted = target.or_size(size)
    factor = target.scale_over(size) * max(1.0, step.zoom if step.crop == "thumb" else 1.0)
    if not may_enlarge:
        factor = min(1.0, factor)
    scaled = _scaled(size, factor)
    if may_enlarge:
        scaled = max(scaled[0], wanted[0]), max(scaled[1], wanted[1])
    return Placement(scaled, _crop_box(scaled, wanted, step))


def _pad(size: Size, target: _Target, step: Step, crop: str) -> Placement:
    inside = target.scale_inside(size)
    if crop == "lpad":
        inside = min(1.0, inside)
    elif crop == "mpad":
        inside = 1.0
    elif crop == "fill_pad":
        inside = min(target.scale_over(size), inside / (1 - FILL_PAD_MAX_CROP_SHARE))
    scaled = _scaled(size, inside)
    canvas = target.or_size(scaled)
    if crop == "mpad":
        canvas = max(canvas[0], scaled[0]), max(canvas[1], scaled[1])
    box = None
    if scaled[0] > canvas[0] or scaled[1] > canvas[1]:
        box = _crop_box(scaled, (min(scaled[0], canvas[0]), min(scaled[1], canvas[1])), step)
        scaled_part = box[2] - box[0], box[3] - box[1]
    else:
        scaled_part = scaled
    return Placement(scaled, box, canvas, place(scaled_part, canvas, step))


def _crop_box(size: Size, wanted: Size, step: Step) -> Box:
    """Return the part to keep of an image of `size`. It never extends beyond the image."""
    width, height = min(wanted[0], size[0]), min(wanted[1], size[1])
    left, top = place((width, height), size, step)
    left = max(0, min(left, size[0] - width))
    top = max(0, min(top, size[1] - height))
    return left, top, left + width, top + height


def place(part: Size, whole: Size, step: Step) -> tuple[int, int]:
    """Return the top left corner of `part` in `whole`.

    The gravity of `step` chooses an edge or corner. Its x and y are distances from there.
    """
    x = step.x.pixels(whole[0], step.dpr) if step.x else 0.0
    y = step.y.pixels(whole[1], step.dpr) if step.y else 0.0
    if step.gravity == "xy_center":
        return round(x - part[0] / 2), round(y - part[1] / 2)
    gravity = step.gravity
    if gravity is None and step.crop == "crop" and (step.x or step.y):
        gravity = "north_west"
    across, down = COMPASS.get(gravity or "center", COMPASS["center"])
    left = (whole[0] - part[0]) * across + (-x if across == 1.0 else x)
    top = (whole[1] - part[1]) * down + (-y if down == 1.0 else y)
    return round(left), round(top)


def _whole(value: float) -> int:
    return max(1, round(value))


def _scaled(size: Size, factor: float) -> Size:
    return _whole(size[0] * factor), _whole(size[1] * factor)
