"""Compute the explicit levels of the Unicode Bidirectional Algorithm (UAX #9): embeddings, overrides, isolates."""

from collections.abc import Sequence

_MAX_DEPTH = 125
ISOLATES = frozenset(("LRI", "RLI", "FSI"))
EMBEDDINGS = frozenset(("LRE", "RLE", "LRO", "RLO"))
_OVERRIDES = {"LRO": "L", "RLO": "R"}


def base_level(classes: Sequence[str], start: int = 0) -> int | None:
    """Return 0 or 1 by the first strong character from ``start``, outside isolates, or None (rules P2 and P3)."""
    depth = 0
    for kind in classes[start:]:
        if kind in ISOLATES:
            depth += 1
        elif kind == "PDI":
            if depth == 0 and start:
                return None
            depth = max(0, depth - 1)
        elif depth == 0 and kind in ("L", "R", "AL"):
            return 0 if kind == "L" else 1
    return None


class ExplicitLevels:
    """The result of rules X1 to X8: explicit ``levels``, and ``classes`` with overrides applied."""

    def __init__(self, classes: Sequence[str], paragraph: int) -> None:
        self.levels = [paragraph] * len(classes)
        self.classes = list(classes)
        self._stack: list[tuple[int, str, bool]] = [(paragraph, "", False)]  # level, override, isolate
        self._overflow_isolates = self._overflow_embeddings = self._valid_isolates = 0
        for i, kind in enumerate(classes):
            if kind in EMBEDDINGS or kind in ISOLATES:
                self._open(i, kind, classes)
            elif kind == "PDI":
                self._close_isolate(i)
            elif kind == "PDF":
                self._close_embedding(i)
            elif kind != "B":
                self._place(i, kind)

    def _place(self, i: int, kind: str) -> None:
        self.levels[i], override, _ = self._stack[-1]
        if override and kind != "BN":
            self.classes[i] = override

    def _open(self, i: int, kind: str, classes: Sequence[str]) -> None:
        isolate = kind in ISOLATES
        level = self.levels[i] = self._stack[-1][0]
        if isolate:
            self._place(i, kind)
        right = kind in ("RLE", "RLO", "RLI") or (kind == "FSI" and base_level(classes, i + 1) == 1)
        deeper = (level + 1) | 1 if right else (level + 2) & ~1
        if deeper <= _MAX_DEPTH and not self._overflow_isolates and not self._overflow_embeddings:
            self._valid_isolates += isolate
            self._stack.append((deeper, _OVERRIDES.get(kind, ""), isolate))
            if not isolate:
                self.levels[i] = deeper
        elif isolate:
            self._overflow_isolates += 1
        elif not self._overflow_isolates:
            self._overflow_embeddings += 1

    def _close_isolate(self, i: int) -> None:
        if self._overflow_isolates:
            self._overflow_isolates -= 1
        elif self._valid_isolates:
            self._overflow_embeddings = 0
            while not self._stack[-1][2]:
                self._stack.pop()
            self._stack.pop()
            self._valid_isolates -= 1
        self._place(i, "PDI")

    def _close_embedding(self, i: int) -> None:
        if not self._overflow_isolates:
            if self._overflow_embeddings:
                self._overflow_embeddings -= 1
            elif not self._stack[-1][2] and len(self._stack) > 1:
                self._stack.pop()
        self.levels[i] = self._stack[-1][0]
