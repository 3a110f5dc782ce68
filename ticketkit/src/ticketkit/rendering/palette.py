"""The colours of a page."""

from dataclasses import dataclass

from ticketkit.rendering.colour import Colour, parse_colour, readable
from ticketkit.rendering.layout.model import Layout


@dataclass(frozen=True, slots=True)
class Palette:
    """A page's colours; all that texts are drawn in can be read on its paper."""

    paper: Colour
    ink: Colour
    muted: Colour
    accent: Colour
    band: Colour  # the accent colour as it was chosen, for areas
    line: Colour

    @classmethod
    def of(cls, layout: Layout, accent: str) -> "Palette":
        """The layout's colours, with the event's ``accent`` unless the layout has its own."""
        chosen = {name: parse_colour(value) for name, value in layout.colours.items()}
        paper, band = chosen["paper"], chosen.get("accent") or parse_colour(accent)
        ink, muted, accent_ink = (readable(colour, paper) for colour in (chosen["ink"], chosen["muted"], band))
        return cls(paper, ink, muted, accent_ink, band, chosen["line"])

    def text(self, name: str) -> Colour:
        """The colour of a text: ink, muted, accent or #rrggbb."""
        named = {"ink": self.ink, "muted": self.muted, "accent": self.accent}
        return named[name] if name in named else readable(parse_colour(name), self.paper)
