"""Resolve weak and neutral types of a run sequence: rules W1 to N2 of the Unicode Bidirectional Algorithm (UAX #9)."""

import unicodedata
from functools import lru_cache

from ticketkit.rendering.text.bidi_levels import ISOLATES

_NEUTRAL = frozenset(("B", "S", "WS", "ON", "LRI", "RLI", "FSI", "PDI"))
# Closing brackets whose code point does not directly follow that of the opening bracket.
_IRREGULAR_PAIRS = {"]": "[", "}": "{", "］": "［", "｝": "｛", "\u298e": "\u298f", "\u2990": "\u298d"}


def resolve_sequence(
    text: str, classes: list[str], resolved: list[str], level: int, sequence: list[int], start: str, end: str
) -> list[str]:
    """Return the classes of an isolating run sequence, resolved to L, R, EN and AN (rules W1 to N2)."""
    kinds = [resolved[i] for i in sequence]
    _resolve_weak(kinds, start)
    original = [classes[i] for i in sequence]
    _resolve_brackets([text[i] for i in sequence], kinds, original, level, start)
    _resolve_neutrals(kinds, level, start, end)
    return kinds


def _resolve_weak(kinds: list[str], start: str) -> None:
    """Apply rules W1 to W7."""
    _settle_marks(kinds, start)
    strong = start
    for i, kind in enumerate(kinds):
        if kind in ("L", "R", "AL"):
            strong = kind
        elif kind == "EN" and strong == "AL":  # W2
            kinds[i] = "AN"
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]  # W3
    for i in range(1, len(kinds) - 1):  # W4
        both = kinds[i - 1] if kinds[i - 1] == kinds[i + 1] else ""
        if (kinds[i] == "ES" and both == "EN") or (kinds[i] == "CS" and both in ("EN", "AN")):
            kinds[i] = both
    _join_terminators(kinds)
    strong = start
    for i, kind in enumerate(kinds):
        if kind in ("ES", "ET", "CS"):  # W6
            kinds[i] = "ON"
        elif kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":  # W7
            kinds[i] = "L"


def _settle_marks(kinds: list[str], start: str) -> None:
    """Apply rule W1: a nonspacing mark takes the class of the preceding character."""
    previous = start
    for i, kind in enumerate(kinds):
        if kind == "NSM":
            kinds[i] = "ON" if previous in ISOLATES or previous == "PDI" else previous
        previous = kinds[i]


def _join_terminators(kinds: list[str]) -> None:
    """Apply rule W5: European terminators next to European numbers become European numbers."""
    i = 0
    while i < len(kinds):
        if kinds[i] != "ET":
            i += 1
            continue
        j = i
        while j < len(kinds) and kinds[j] == "ET":
            j += 1
        if (i and kinds[i - 1] == "EN") or (j < len(kinds) and kinds[j] == "EN"):
            kinds[i:j] = ["EN"] * (j - i)
        i = j


def _bracket_pairs(chars: list[str], kinds: list[str]) -> list[tuple[int, int]]:
    """Return the bracket pairs (BD16), in the order of their opening brackets."""
    stack: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for i, char in enumerate(chars):
        side, opening = _bracket(char) if kinds[i] == "ON" else ("", "")
        if side == "o":
            if len(stack) == 63:
                return []
            stack.append((opening, i))
        elif side == "c":
            for depth in range(len(stack) - 1, -1, -1):
                if stack[depth][0] == opening:
                    pairs.append((stack[depth][1], i))
                    del stack[depth:]
                    break
    return sorted(pairs)


def _direction(kind: str) -> str:
    return "R" if kind in ("R", "AN", "EN") else ("L" if kind == "L" else "")


def _resolve_brackets(chars: list[str], kinds: list[str], original: list[str], level: int, start: str) -> None:
    """Apply rule N0."""
    embedding = "R" if level % 2 else "L"
    for opening, closing in _bracket_pairs(chars, kinds):
        inside = {_direction(kind) for kind in kinds[opening + 1 : closing]} - {""}
        if embedding in inside:
            direction = embedding
        elif inside:
            context = next((d for d in map(_direction, reversed(kinds[:opening])) if d), start)
            direction = context if context != embedding else embedding
        else:
            continue
        for position in (opening, closing):
            kinds[position] = direction
            following = position + 1
            while following < len(kinds) and original[following] == "NSM":
                kinds[following] = direction
                following += 1


def _resolve_neutrals(kinds: list[str], level: int, start: str, end: str) -> None:
    """Apply rules N1 and N2."""
    i = 0
    while i < len(kinds):
        if kinds[i] not in _NEUTRAL:
            i += 1
            continue
        j = i
        while j < len(kinds) and kinds[j] in _NEUTRAL:
            j += 1
        left = _direction(kinds[i - 1]) if i else start
        right = _direction(kinds[j]) if j < len(kinds) else end
        kinds[i:j] = [left if left == right else ("R" if level % 2 else "L")] * (j - i)
        i = j


@lru_cache(maxsize=512)
def _bracket(char: str) -> tuple[str, str]:
    """Return "o" (opening) or "c" (closing) and the canonical opening bracket of a paired bracket, else ("", "")."""
    category = unicodedata.category(char)
    if category not in ("Ps", "Pe") or not unicodedata.mirrored(char):
        return "", ""
    opening = _IRREGULAR_PAIRS.get(char) or (char if category == "Ps" else chr(ord(char) - 1))
    if unicodedata.category(opening) != "Ps":
        return "", ""
    return ("o" if category == "Ps" else "c"), unicodedata.normalize("NFC", opening)
