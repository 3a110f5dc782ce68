"""Makes a text that the fonts do not draw into one that they do, as like it as possible.

Only texts that failed come here, so that nothing of this is paid for ordinary names.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from ticketkit.rendering.errors import UndrawableTextError
from ticketkit.rendering.text.itemise import MOST_CHARACTERS_A_CLUSTER, clusters, is_ignorable, is_latin
from ticketkit.rendering.text.shaping import shape_line

PLACEHOLDER = "\N{REPLACEMENT CHARACTER}"
_WEIGHT = 400  # whether a font has a glyph does not depend on it


def as_drawn(text: str, language: str) -> str:
    """``text`` itself if the fonts draw it, else what is drawn in its place."""
    if text.isascii() or is_latin(text) or all(_draws(line, language) for line in text.split("\n")):
        return text
    return "\n".join(drawable(line, language) for line in text.split("\n"))


def drawable(line: str, language: str) -> str:
    """``line`` with what cannot be drawn replaced.

    Each cluster by its compatibility form (a script letter by the letter), without the marks that are too many, and
    if nothing of it can be drawn, by a placeholder. What only fails together is a placeholder for each character.
    """
    repaired = "".join(_cluster(line[start:end], language) for start, end in clusters(line))
    return repaired if _draws(repaired, language) else placeholders(line)


def placeholders(text: str) -> str:
    """``text`` with a placeholder for every character that is not Latin: this is drawn in any case."""
    return "".join(char if is_latin(char) or char.isspace() else PLACEHOLDER for char in text)


@lru_cache(maxsize=1024)
def _cluster(cluster: str, language: str) -> str:
    for candidate in _candidates(cluster):
        if _draws(candidate, language):
            return candidate
    is_invisible = all(is_ignorable(char) or unicodedata.category(char) == "Cf" for char in cluster)
    return "" if is_invisible else PLACEHOLDER


def _candidates(cluster: str) -> Iterator[str]:
    """What may stand for a cluster, the most like it first."""
    compatible = unicodedata.normalize("NFKC", cluster)
    yield from (cluster, compatible)
    for form in (cluster, compatible):
        for length in range(min(len(form), MOST_CHARACTERS_A_CLUSTER), 0, -1):
            yield form[:length]


def _draws(text: str, language: str) -> bool:
    try:
        for right_to_left in (False, True):
            shape_line(text, _WEIGHT, language, right_to_left)
    except UndrawableTextError:
        return False
    return True
