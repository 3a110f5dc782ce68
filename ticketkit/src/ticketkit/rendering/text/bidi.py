"""Implement the Unicode Bidirectional Algorithm (UAX #9, revision 46): embedding levels and visual order of a line.

HarfBuzz shapes runs of one direction, and the caller must find the runs. Other implementations with Python bindings
return only a reordered string, without its runs. Rule names are those of UAX #9.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ticketkit.rendering.text.bidi_levels import EMBEDDINGS, ISOLATES, ExplicitLevels, base_level
from ticketkit.rendering.text.bidi_rules import resolve_sequence

_REMOVED = EMBEDDINGS | {"PDF", "BN"}
_IMPLICIT = ({"R": 1, "AN": 2, "EN": 2}, {"L": 1, "AN": 1, "EN": 1})  # rules I1 and I2, by the level's parity
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN", "RLE", "RLO", "RLI"))
# Ranges that UAX #9 reserves for right-to-left scripts, for characters that Python's tables do not have.
_DEFAULT_R = ((0x0590, 0x05FF), (0x07C0, 0x085F), (0xFB1D, 0xFB4F), (0x10800, 0x10FFF), (0x1E800, 0x1EFFF))
_DEFAULT_AL = ((0x0600, 0x07BF), (0x0860, 0x08FF), (0xFB50, 0xFDCF), (0xFDF0, 0xFDFF), (0xFE70, 0xFEFF))


@lru_cache(maxsize=4096)
def bidi_class(char: str) -> str:
    """Return the Bidi_Class of a character, with the defaults of UAX #9 for unassigned ones."""
    found = unicodedata.bidirectional(char)
    if found:
        return found
    point = ord(char)
    if any(low <= point <= high for low, high in _DEFAULT_AL):
        return "AL"
    return "R" if any(low <= point <= high for low, high in _DEFAULT_R) else "L"


def needs_bidi(text: str) -> bool:
    """Return whether the visual order may differ from the logical order."""
    return not text.isascii() and not _RIGHT_TO_LEFT.isdisjoint(map(bidi_class, text))


def base_direction(text: str, default: bool) -> bool:
    """Return whether the text is right-to-left by its first strong character, or ``default`` if it has none."""
    if text.isascii() and not default:
        return False
    level = base_level([bidi_class(char) for char in text])
    return default if level is None else level == 1


def embedding_levels(text: str, paragraph: int | None = None) -> tuple[int, list[int]]:
    """Return the paragraph level and the resolved level of each character of a line (rules P2 to L1).

    ``paragraph`` is 0 for left-to-right, 1 for right-to-left, or None to use the first strong character.
    """
    classes = [bidi_class(char) for char in text]
    if paragraph is None:
        paragraph = base_level(classes) or 0
    found = ExplicitLevels(classes, paragraph)
    levels = found.levels
    kept = [i for i, kind in enumerate(classes) if kind not in _REMOVED]
    explicit = list(levels)
    for sequence in _isolating_run_sequences(classes, explicit, kept):
        start, end = _sequence_boundaries(classes, explicit, sequence, paragraph)
        kinds = resolve_sequence(text, classes, found.classes, explicit[sequence[0]], sequence, start, end)
        for i, kind in zip(sequence, kinds, strict=True):
            levels[i] += _IMPLICIT[explicit[i] % 2].get(kind, 0)
    _reset_whitespace(classes, levels, paragraph)
    return paragraph, levels


def visual_runs(levels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return ``(start, end, level)`` of each level run in visual order, left to right (rule L2)."""
    runs: list[tuple[int, int, int]] = []
    for i, level in enumerate(levels):
        if runs and runs[-1][2] == level:
            runs[-1] = (runs[-1][0], i + 1, level)
        else:
            runs.append((i, i + 1, level))
    # Linear time: join neighbours as soon as no deeper run can follow, instead of reversing once per level. See
    # https://github.com/fribidi/linear-reorder
    parts: list[tuple[int, list[tuple[int, int, int]]]] = []
    for run in runs:
        level = run[2]
        while len(parts) > 1 and parts[-1][0] > level and parts[-2][0] >= level:
            _join_last_two(parts)
        if parts and parts[-1][0] >= level:
            ordered = parts.pop()[1]
            parts.append((level, [run, *ordered] if level % 2 else [*ordered, run]))
        else:
            parts.append((level, [run]))
    while len(parts) > 1:
        _join_last_two(parts)
    return parts[0][1] if parts else []


def _join_last_two(parts: list[tuple[int, list[tuple[int, int, int]]]]) -> None:
    (level, before), (_, after) = parts[-2:]
    parts[-2:] = [(level, after + before if level % 2 else before + after)]


def _isolating_run_sequences(classes: list[str], levels: list[int], kept: list[int]) -> list[list[int]]:
    """Return the indices of each isolating run sequence (X10, BD13), without characters that X9 removes."""
    runs: list[list[int]] = []
    for i in kept:
        if runs and levels[runs[-1][-1]] == levels[i]:
            runs[-1].append(i)
        else:
            runs.append([i])
    sequences: list[list[int]] = []
    open_isolates: list[list[int]] = []  # sequences that end in an unmatched isolate initiator
    for run in runs:
        target: list[int] | None = None
        if classes[run[0]] == "PDI":
            while open_isolates and levels[open_isolates[-1][-1]] > levels[run[0]]:
                open_isolates.pop()
            if open_isolates and levels[open_isolates[-1][-1]] == levels[run[0]]:
                target = open_isolates.pop()
        if target is None:
            target = []
            sequences.append(target)
        target.extend(run)
        if classes[run[-1]] in ISOLATES:
            open_isolates.append(target)
    return sequences


def _sequence_boundaries(classes: list[str], levels: list[int], sequence: list[int], paragraph: int) -> tuple[str, str]:
    """Return the directions before and after a sequence (sos and eos of rule X10)."""
    level = levels[sequence[0]]
    before = next((levels[i] for i in range(sequence[0] - 1, -1, -1) if classes[i] not in _REMOVED), paragraph)
    after = paragraph
    if classes[sequence[-1]] not in ISOLATES:
        following = (levels[i] for i in range(sequence[-1] + 1, len(levels)) if classes[i] not in _REMOVED)
        after = next(following, paragraph)
    return ("R" if max(level, before) % 2 else "L"), ("R" if max(level, after) % 2 else "L")


def _reset_whitespace(classes: list[str], levels: list[int], paragraph: int) -> None:
    """Apply rule L1. Characters that X9 removes take the level of the preceding one, so that they do not split runs."""
    trailing, reset = True, set()
    for i in range(len(classes) - 1, -1, -1):
        if classes[i] in ("B", "S"):
            trailing = True
            reset.add(i)
        elif classes[i] in ("WS", "PDI") or classes[i] in ISOLATES or classes[i] in _REMOVED:
            if trailing:
                reset.add(i)
        else:
            trailing = False
    for i, kind in enumerate(classes):
        if i in reset:
            levels[i] = paragraph
        elif kind in _REMOVED:
            levels[i] = levels[i - 1] if i else paragraph
