"""Choose the part of an image to keep for `g_auto`.

It is the window with the largest sum of edges in luminance. Of equal windows, the one nearest to the centre wins. Faces
and objects are not recognised.
"""

from itertools import accumulate

from PIL import Image, ImageFilter

from cloudlet.transformations.encoding import flatten
from cloudlet.transformations.geometry import Box, Size

_MAP_SIDE = 64


def most_detailed_box(image: Image.Image, scaled: Size, box: Box) -> Box:
    """Return `box`, moved to where the image has most edges. `box` refers to the image scaled to `scaled`."""
    width, height = box[2] - box[0], box[3] - box[1]
    energy = _energy(image)
    columns = min(energy.width, max(1, round(width / scaled[0] * energy.width)))
    rows = min(energy.height, max(1, round(height / scaled[1] * energy.height)))
    left, top = _best_window(energy, columns, rows)
    free = scaled[0] - width, scaled[1] - height
    x = round(left / max(1, energy.width - columns) * free[0])
    y = round(top / max(1, energy.height - rows) * free[1])
    return x, y, x + width, y + height


def _energy(image: Image.Image) -> Image.Image:
    small = flatten(image).convert("L")
    small.thumbnail((_MAP_SIDE, _MAP_SIDE), Image.Resampling.BOX)
    edges = small.filter(ImageFilter.FIND_EDGES)
    inner = Image.new("L", edges.size, 0)  # the filter leaves the outermost pixels unchanged
    if edges.width > 2 and edges.height > 2:
        frame = (1, 1, edges.width - 1, edges.height - 1)
        inner.paste(edges.crop(frame), frame[:2])
    return inner


def _best_window(energy: Image.Image, columns: int, rows: int) -> tuple[int, int]:
    """Return the top left corner of the window with the largest sum, using a summed-area table."""
    width, height = energy.size
    table = [[0] * (width + 1)]
    content = energy.tobytes()
    for row in range(height):
        sums = accumulate(content[row * width : (row + 1) * width], initial=0)
        table.append([above + here for above, here in zip(table[-1], sums, strict=True)])

    def rank(position: tuple[int, int]) -> tuple[int, float]:
        x, y = position
        right, below = x + columns, y + rows
        total = table[below][right] - table[y][right] - table[below][x] + table[y][x]
        return total, -abs(x - (width - columns) / 2) - abs(y - (height - rows) / 2)

    return max(((x, y) for x in range(width - columns + 1) for y in range(height - rows + 1)), key=rank)
