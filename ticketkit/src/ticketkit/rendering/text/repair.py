"""Replace text that the fonts cannot draw by similar text that they can.

Used only after drawing has failed, so that ordinary names do not pay for it.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.itemise import MAX_CLUSTER_CHARACTERS, clusters, is_ignorable, is_latin
from ticketkit.rendering.text.shaping import shape_line

PLACEHOLDER = "\N{REPLACEMENT CHARACTER}"
_WEIGHT = 400  # arbitrary: a font has the same glyphs in all weights


def as_drawn(text: str, language: str) -> str:
    """Return ``text`` if the fonts can draw it, else its replacement."""
    if text.isascii() or is_latin(text) or all(_draws(line, language) for line in text.split("\n")):
        return text
    return "\n".join(drawable(line, language) for line in text.split("\n"))


def drawable(line: str, language: str) -> str:
    """Return ``line`` with undrawable clusters replaced.

    A cluster is replaced by its compatibility form (a script letter by the plain letter), with excess marks removed, or
    by a placeholder. If the repaired clusters still fail together, every non-Latin character becomes a placeholder.
    """
    repaired = "".join(_cluster(line[start:end], language) for start, end in clusters(line))
    return repaired if _draws(repaired, language) else placeholders(line)


def placeholders(text: str) -> str:
    """Return ``text`` with a placeholder for every character that is not Latin, which can always be drawn."""
    return "".join(char if is_latin(char) or char.isspace() else PLACEHOLDER for char in text)


@lru_cache(maxsize=1024)
def _cluster(cluster: str, language: str) -> str:
    for candidate in _candidates(cluster):
        if _draws(candidate, language):
            return candidate
    is_invisible = all(is_ignorable(char) or unicodedata.category(char) == "Cf" for char in cluster)
    return "" if is_invisible else PLACEHOLDER


def _candidates(cluster: str) -> Iterator[str]:
    """Yield replacements for a cluster, the most similar first."""
    compatible = unicodedata.normalize("NFKC", cluster)
    yield from (cluster, compatible)
    for form in (cluster, compatible):
        for length in range(min(len(form), MAX_CLUSTER_CHARACTERS), 0, -1):
            yield form[:length]


def _draws(text: str, language: str) -> bool:
    try:
        for right_to_left in (False, True):
            shape_line(text, _WEIGHT, language, right_to_left)
    except UndrawableTextError:
        return False
    return True
