"""Degrade grey pictures of codes, as happens between screen or paper and a scanner's camera.

All take and return an array of uint8, rows by columns. `severity` runs from 0 (hardly noticeable) to 1 (a person would
walk over and clean the lens). `random` makes every picture's damage its own, and every run the same.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Degradation = Callable[[Picture, float, np.random.Generator], Picture]

_GREY = 120  # the surroundings of the picture
# The size of the code in a camera picture of the whole ticket, relative to the screen.
_CAMERA_SCALE = 0.8


def blur(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Blur as if out of focus: a Gaussian of up to 3.2 px."""
    return _grey(cv2.GaussianBlur(_seen(picture), (0, 0), 0.6 + 2.6 * severity))


def motion(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Blur as if the hand moves: up to 13 px in any direction."""
    length = 3 + round(10 * severity)
    flat = np.zeros((length, length), np.float32)
    flat[length // 2] = 1 / length
    centre = ((length - 1) / 2, (length - 1) / 2)
    streak = cv2.warpAffine(flat, cv2.getRotationMatrix2D(centre, random.uniform(0, 180), 1), (length, length))
    return _grey(cv2.filter2D(_seen(picture), -1, streak / streak.sum()))


def jpeg(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Shrink and compress as messengers do: down to 60 % of the size and JPEG quality 20."""
    small = cv2.resize(picture, None, fx=1 - 0.4 * severity, fy=1 - 0.4 * severity, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, round(60 - 40 * severity)])
    return _grey(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def rotation(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Rotate by up to half a turn."""
    seen = _seen(picture)
    height, width = seen.shape
    angle = 180 * severity * random.uniform(-1, 1)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.7)
    return _grey(cv2.warpAffine(seen, turn, (width, height), borderValue=_GREY))


def perspective(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Distort as if seen from the side: each corner moves inwards by up to a quarter of the width."""
    seen = _seen(picture)
    height, width = seen.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.sign(np.array([width, height]) / 2 - corners) * random.uniform(0, 0.25 * severity, (4, 2)) * width
    view = cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32))
    return _grey(cv2.warpPerspective(seen, view, (width, height), borderValue=_GREY))


def low_light(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Darken as in a dark hall: low contrast and sensor noise."""
    seen = _seen(picture).astype(np.float32)
    dim = 40 + seen * (0.5 - 0.38 * severity)
    return _grey(dim + random.normal(0, 3 + 9 * severity, seen.shape))


def glare(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Add a soft white spot on the code, as a lamp's reflection."""
    seen = _seen(picture).astype(np.float32)
    height, width = seen.shape
    row, column = random.uniform(0.3, 0.7, 2) * (height, width)
    y, x = np.ogrid[:height, :width]
    radius = (0.03 + 0.1 * severity) * width
    spot = np.exp(-(((y - row) ** 2 + (x - column) ** 2) / (2 * radius**2)))
    return _grey(seen + 255 * np.minimum(1, 1.6 * spot))


def folded_corner(picture: Picture, severity: float, random: np.random.Generator) -> Picture:
    """Fold the corner without a finder pattern: a triangle of up to half the picture's side."""
    seen = _seen(picture)
    height, width = seen.shape
    reach = round((0.2 + 0.3 * severity + random.uniform(-0.03, 0.03)) * width)
    triangle = np.array([[width, height], [width - reach, height], [width, height - reach]])
    return _grey(cv2.fillPoly(seen.copy(), [triangle], 235))


DEGRADATIONS: dict[str, Degradation] = {
    "blur": blur,
    "motion": motion,
    "JPEG quality 20": jpeg,
    "rotation": rotation,
    "perspective": perspective,
    "low light": low_light,
    "glare": glare,
    "folded corner": folded_corner,
}


def _seen(picture: Picture) -> Picture:
    """Return the picture on a grey background, scaled as a camera sees it."""
    margin = picture.shape[0] // 10
    framed = cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=_GREY)
    return _grey(cv2.resize(framed, None, fx=_CAMERA_SCALE, fy=_CAMERA_SCALE, interpolation=cv2.INTER_AREA))


def _grey(values: Any) -> Picture:
    picture: Picture = np.clip(values, 0, 255).astype(np.uint8)
    return picture
