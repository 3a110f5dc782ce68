"""The colours of a page."""

from dataclasses import dataclass

from ticketkit.rendering.colour import Colour, parse_colour, readable
from ticketkit.rendering.layout.model import Layout


@dataclass(frozen=True, slots=True)
class Palette:
    """A page's colours. Those of texts have enough contrast with the paper."""

    paper: Colour
    ink: Colour
    muted: Colour
    accent: Colour
    band: Colour  # the accent colour before adjustment for contrast, for filled areas
    line: Colour

    @classmethod
    def of(cls, layout: Layout, accent: str) -> "Palette":
        """Return the palette of a layout; ``accent`` is used unless the layout sets its own."""
        chosen = {name: parse_colour(value) for name, value in layout.colours.items()}
        paper, band = chosen["paper"], chosen.get("accent") or parse_colour(accent)
        ink, muted, accent_ink = (readable(colour, paper) for colour in (chosen["ink"], chosen["muted"], band))
        return cls(paper, ink, muted, accent_ink, band, chosen["line"])

    def text(self, name: str) -> Colour:
        """Return the colour of a text by name (``ink``, ``muted``, ``accent``) or from ``#rrggbb``."""
        named = {"ink": self.ink, "muted": self.muted, "accent": self.accent}
        return named[name] if name in named else readable(parse_colour(name), self.paper)
