"""Fills the places of a page with one ticket's texts and code."""

from collections.abc import Mapping

from ticketkit.rendering.layout.placing import Compromise, Setting, compromise
from ticketkit.rendering.page import END, CodePlace, Page, Slot
from ticketkit.rendering.pdf.fonts import EmbeddedFont, GlyphUse, TicketFont
from ticketkit.rendering.pdf.text import KernedText, PlainText, QuickText
from ticketkit.rendering.qr import QrSymbol
from ticketkit.rendering.qr.drawing import draw_qr
from ticketkit.rendering.text.fitting import Fitted, fit
from ticketkit.rendering.text.fonts import LATIN, FontInstance, typeface
from ticketkit.rendering.text.shaping import GlyphRun

# Texts of these come again and again, those of others hardly ever.
_RECURRING = frozenset(("ticket_type", "price", "quantity", "date"))
_REMEMBERED = 256


class PageFiller:
    """Draws a ticket's texts with the page's own fonts, and with more where those lack glyphs."""

    def __init__(self, page: Page, fonts: Mapping[FontInstance, EmbeddedFont], setting: Setting) -> None:
        self._page = page
        self._fonts = fonts
        self._setting = setting
        self._drawn: dict[tuple[str, str], bytes] = {}
        latin = {font.weight: own for font, own in fonts.items() if font.typeface is typeface(LATIN)}
        self._plain = {weight: PlainText(font) for weight, font in latin.items()}
        # Where lines begin at the right, Latin text with a sign at its end is more than one run.
        self._kerned = {} if setting.right_to_left else {weight: KernedText(font) for weight, font in latin.items()}

    def fill(self, texts: Mapping[str, str], symbol: QrSymbol) -> tuple[bytes, list[TicketFont]]:
        """The ticket's content, and the fonts that it needs besides the page's."""
        parts: list[bytes] = []
        waiting: list[tuple[int, Slot, Fitted]] = []
        for piece in self._page.sequence:
            if isinstance(piece, bytes):
                parts.append(piece)
            elif isinstance(piece, CodePlace):
                parts.append(b"%s %s%s" % (piece.begin, draw_qr(symbol, piece.area), END))
            else:
                text = texts[piece.block.element]
                drawn = self._drawn.get((piece.block.element, text)) or self._draw_quickly(piece, text)
                if drawn is None:
                    fitted = self._fit(piece, text)
                    self._learn(fitted, text)
                    try:
                        drawn = self._draw(piece, fitted, self._fonts)
                    except KeyError:  # a font or glyph that the page does not have
                        waiting.append((len(parts), piece, fitted))
                        drawn = b""
                if drawn:
                    self._remember(piece.block.element, text, drawn)
                parts.append(drawn)
        extra = _embed([fitted for _, _, fitted in waiting]) if waiting else {}
        for place, slot, fitted in waiting:
            parts[place] = self._draw(slot, fitted, extra)
        return b"\n".join(parts), list(extra.values())

    def compromises(self, texts: Mapping[str, str]) -> list[Compromise]:
        """The texts that are drawn otherwise than they are written."""
        slots = [piece for piece in self._page.sequence if isinstance(piece, Slot)]
        named = [(slot, slot.block.element, texts[slot.block.element]) for slot in slots]
        return [found for slot, name, text in named if (found := compromise(name, text, self._fit(slot, text)))]

    def _fit(self, slot: Slot, text: str) -> Fitted:
        block, setting = slot.block, self._setting
        return fit(text, block.style, block.width, block.height, setting.language, setting.right_to_left)

    def _draw_quickly(self, slot: Slot, text: str) -> bytes | None:
        """A text at its full size, or None if it has to be shaped or there is no room."""
        block = slot.block
        style = block.style
        try:
            setter: QuickText = (self._plain if style.identifier else self._kerned)[style.weight]
            width = setter.width(text)
        except KeyError:
            return None
        if width * style.size / 1000 > block.width:
            return None
        return slot.begin + setter.draw(text, *self._page.place(block, width, style.size), style.size) + END

    def _learn(self, fitted: Fitted, text: str) -> None:
        for line in fitted.lines:
            for run in line.runs:
                # A run that is not the whole text may be in another order or have other neighbours.
                if run.font.weight in self._kerned and run.font in self._fonts and "".join(run.texts) == text:
                    self._kerned[run.font.weight].learn(run)

    def _draw(self, slot: Slot, fitted: Fitted, fonts: Mapping[FontInstance, EmbeddedFont]) -> bytes:
        def find(run: GlyphRun) -> EmbeddedFont:
            return fonts[run.font]

        return slot.begin + self._page.draw(slot.block, fitted, find) + END

    def _remember(self, element: str, text: str, drawn: bytes) -> None:
        if element in _RECURRING:
            if len(self._drawn) >= _REMEMBERED:
                self._drawn.clear()
            self._drawn[element, text] = drawn


def _embed(texts: list[Fitted]) -> dict[FontInstance, TicketFont]:
    uses: dict[FontInstance, dict[GlyphUse, int]] = {}
    for text in texts:
        for line in text.lines:
            for run in line.runs:
                uses.setdefault(run.font, {}).update(run.uses())
    return {font: TicketFont(b"T%d" % n, font, used) for n, (font, used) in enumerate(uses.items())}
