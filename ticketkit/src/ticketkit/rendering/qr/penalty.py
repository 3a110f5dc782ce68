"""Compute the penalty of a masked QR symbol (ISO/IEC 18004:2015, 7.8.3.1) with shifts and bit counts.

Shifting a symbol right by one bit replaces each module by its left neighbour, by one stride by the module above.
"""

from functools import lru_cache
from math import inf
from typing import Final

from ticketkit.rendering.qr.geometry import Geometry, geometry_of

# The weights of table 11; those of runs are in _runs().
_BLOCK: Final = 3
_FINDER: Final = 40
_BALANCE: Final = 10
# The penalty of the three finder patterns in one direction under every mask: each matches in three lines.
_FINDERS: Final = 9 * _FINDER


def lowest_penalty(codewords: int, geometry: Geometry) -> int:
    """Return `codewords` with the mask that gives the lowest penalty, the first if several do."""
    stride = geometry.stride
    left, above = _alike(codewords, geometry)
    scored = []
    for mask, (background, unlike_left, unlike_above) in enumerate(_backgrounds(geometry.version)):
        scored.append((_area_penalty(left ^ unlike_left, above ^ unlike_above, stride), mask, background))
    # Finding finder-like patterns is the slowest part and only adds to the score: stop when no other mask can win.
    scored.sort()
    lowest, lowest_mask, chosen = inf, 0, 0
    for area_score, mask, background in scored:
        if area_score + 2 * _FINDERS > lowest:
            break
        symbol = codewords ^ background
        score = area_score + _balance_penalty(symbol, geometry.size) + _finder_penalty(symbol, 1)
        if score + _FINDERS > lowest:
            continue
        total = score + _finder_penalty(symbol, stride)
        if total < lowest or (total == lowest and mask < lowest_mask):
            lowest, lowest_mask, chosen = total, mask, symbol
    return chosen


def penalty(symbol: int, geometry: Geometry) -> int:
    """Return the penalty of a symbol."""
    return (
        _area_penalty(*_alike(symbol, geometry), geometry.stride)
        + _balance_penalty(symbol, geometry.size)
        + _finder_penalty(symbol, 1)
        + _finder_penalty(symbol, geometry.stride)
    )


def _alike(symbol: int, geometry: Geometry) -> tuple[int, int]:
    """Return the modules with the same colour as their left neighbour, and those with the same as the one above."""
    stride = geometry.stride
    not_first_column, not_first_row = _windows(geometry.size, stride)
    return (
        (symbol ^ symbol >> 1) & not_first_column ^ not_first_column,
        (symbol ^ symbol >> stride) & not_first_row ^ not_first_row,
    )


def _area_penalty(like_left: int, like_above: int, stride: int) -> int:
    """Return the penalty for runs and blocks of one colour; see _alike()."""
    blocks = (like_left & like_left >> stride & like_above).bit_count()
    return _runs(like_left, 1) + _runs(like_above, stride) + _BLOCK * blocks


@lru_cache
def _backgrounds(version: int) -> tuple[tuple[int, int, int], ...]:
    """Return each mask's background, and the bits that it flips in _alike() of the codewords."""
    geometry = geometry_of(version)
    left, above = _alike(0, geometry)
    return tuple(
        (background, left ^ like_left, above ^ like_above)
        for background in geometry.backgrounds
        for like_left, like_above in [_alike(background, geometry)]
    )


@lru_cache
def _windows(size: int, stride: int) -> tuple[int, int]:
    """Return the modules that have a left neighbour, and the modules that have one above."""
    row = (1 << size) - 1 << stride - size
    rows = sum(row << stride * i for i in range(size))
    first_column = sum(1 << stride * (i + 1) - 1 for i in range(size))
    return rows ^ first_column, rows & (1 << stride * (size - 1)) - 1


def _runs(like_previous: int, step: int) -> int:
    """Return the length minus 2 of each run of five or more modules of one colour, added up."""
    pairs = like_previous & like_previous >> step
    fives = pairs & pairs >> 2 * step
    # A run of n has n - 4 windows of five, and two ends.
    return fives.bit_count() + (fives ^ fives << step).bit_count()


def _finder_penalty(symbol: int, step: int) -> int:
    """Return 40 points for each 1:1:3:1:1 of dark and light beside four light modules, as in a finder pattern."""
    previous = symbol >> step
    both = symbol & previous
    dark_after_light, light_after_dark = symbol ^ both, previous ^ both
    found = dark_after_light & (both & both >> step) >> 2 * step & light_after_dark >> 5 * step
    either = symbol | symbol << step
    dark_in_four = either | either << 2 * step
    return _FINDER * (found.bit_count() - (found & dark_in_four << step & dark_in_four >> 10 * step).bit_count())


def _balance_penalty(symbol: int, size: int) -> int:
    """Return 10 points for each full 5 % by which the share of dark modules differs from one half."""
    return abs(2 * symbol.bit_count() - size * size) * 10 // (size * size) * _BALANCE
