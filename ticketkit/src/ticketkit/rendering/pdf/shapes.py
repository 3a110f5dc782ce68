"""Draw paths of simple shapes."""

from ticketkit.rendering.pdf.objects import numbers

_ARC = 0.4477  # 1 - 0.5523: the distance of a quarter circle's control points from the corner, for radius 1


def rounded_rectangle(x: float, y: float, width: float, height: float, radius: float) -> bytes:
    """Return the path of a rectangle with rounded corners; ``x`` and ``y`` are its left and bottom."""
    k = radius * _ARC
    right, top = x + width, y + height
    return b"\n".join(
        (
            numbers(x + radius, y) + b" m",
            numbers(right - radius, y) + b" l",
            numbers(right - k, y, right, y + k, right, y + radius) + b" c",
            numbers(right, top - radius) + b" l",
            numbers(right, top - k, right - k, top, right - radius, top) + b" c",
            numbers(x + radius, top) + b" l",
            numbers(x + k, top, x, top - k, x, top - radius) + b" c",
            numbers(x, y + radius) + b" l",
            numbers(x, y + k, x + k, y, x + radius, y) + b" c h",
        )
    )


def circle(x: float, y: float, radius: float) -> bytes:
    """Return the path of a circle around ``x`` and ``y``."""
    return rounded_rectangle(x - radius, y - radius, 2 * radius, 2 * radius, radius)
