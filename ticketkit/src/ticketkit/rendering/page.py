"""Compose one page: what is the same on every ticket as operators, what differs as places; and fill the places.

A page is composed once per event. Every ticket fills it with its own texts and code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ticketkit.rendering.colour import WHITE, Colour, mix
from ticketkit.rendering.layout.model import Frame, Layout
from ticketkit.rendering.layout.placing import Block, Compromise, Setting, compromise
from ticketkit.rendering.palette import Palette
from ticketkit.rendering.pdf.fonts import EmbeddedFont, GlyphUse, TicketFont
from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.pdf.shapes import circle, rounded_rectangle
from ticketkit.rendering.pdf.structure import PageStructure
from ticketkit.rendering.pdf.text import FindFont, KernedText, PlainText, QuickText, draw_line
from ticketkit.rendering.pictures import LOGO_MARGIN, Picture
from ticketkit.rendering.qr import QrSymbol
from ticketkit.rendering.qr.drawing import draw_qr
from ticketkit.rendering.text.fitting import LINE_HEIGHT, Fitted, fit
from ticketkit.rendering.text.fonts import LATIN, FontInstance, typeface
from ticketkit.rendering.text.shaping import GlyphRun

_END = b"\nEMC"
_BASELINE = 0.98  # of the size, from the line's top: room for accents above capitals
_SHARES = {"start": 0.0, "center": 0.5, "end": 1.0}

# Texts of these come again and again, those of others hardly ever.
_RECURRING = frozenset(("ticket_type", "price", "quantity", "date"))
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a ticket's text: the block, and the operators that begin its marked content."""

    block: Block
    begin: bytes


@dataclass(frozen=True, slots=True)
class CodePlace:
    """The place for the QR code with its quiet zone: left, bottom and edge in points."""

    area: tuple[float, float, float]
    begin: bytes


class Page:
    """A page in order: ``static`` operators, ``sequence``, which has the ticket's own places in it, ``closing``."""

    def __init__(self, layout: Layout, palette: Palette, right_to_left: bool, find_font: FindFont) -> None:
        self.layout = layout
        self.structure = PageStructure()
        self.sequence: list[bytes | Slot | CodePlace] = []
        self._palette = palette
        self._right_to_left = right_to_left
        self._find_font = find_font
        self._background: list[bytes] = []
        self._content: list[bytes] = []
        self._closing: list[bytes] = []
        if palette.paper != WHITE:
            self._add_artifact(b"%s rg 0 0 %s re f" % (_rgb(palette.paper), numbers(layout.width, layout.height)))

    @property
    def static(self) -> bytes:
        """The operators before the first place that is the ticket's own."""
        return b"\n".join(self._background + self._content)

    @property
    def closing(self) -> bytes:
        """The operators after the last place that is the ticket's own."""
        return b"\n".join(self._closing)

    def add_pictures(self, pictures: Mapping[str, Picture], alternatives: Mapping[str, str]) -> None:
        """Cover (an ornament when there is none) and logo; ``alternatives`` says what they show."""
        frames = self.layout.pictures
        if "cover" in frames:
            box = self._box(frames["cover"])
            if "Cover" in pictures:
                self._add_image("Cover", alternatives["Cover"], box)
            else:
                self._add_artifact(self._ornament(box))
        if "Logo" in pictures:
            left, bottom, width, height = self._box(frames["logo"])
            # Over the cover, whose place in the content is before it.
            self._content.append(self._plate((left, bottom, width, height), 8))
            logo = pictures["Logo"]
            scale = min((width - 2 * LOGO_MARGIN) / logo.width, (height - 2 * LOGO_MARGIN) / logo.height)
            drawn = logo.width * scale, logo.height * scale
            x, y = left + (width - drawn[0]) / 2, bottom + (height - drawn[1]) / 2
            self._add_image("Logo", alternatives["Logo"], (x, y, *drawn))

    def add_texts(self, blocks: list[Block]) -> None:
        """Texts in reading order; a label and what it names are one paragraph."""
        paragraph = self.structure.element("P")
        label_of = ""
        for block in blocks:
            if block.is_label or label_of != block.element:
                paragraph = self.structure.element("H1" if block.element == "title" else "P")
            label_of = block.element if block.is_label else ""
            begin = b"%s %s rg " % (self.structure.mark(paragraph), _rgb(self._colour(block)))
            if block.fitted is None:
                self._add_place(Slot(block, begin))
            else:
                self._add(begin + self.draw(block, block.fitted, self._find_font) + _END)

    def add_code(self, alternative: str) -> None:
        """The white plate of the code, and the place for it."""
        left, bottom, width, height = self._box(self.layout.pictures["qr"])
        edge = min(width, height)
        left, bottom = left + (width - edge) / 2, bottom + (height - edge) / 2
        self._background.append(self._plate((left, bottom, edge, edge), 10))
        figure = self.structure.element("Figure", alternative, (left, bottom, left + edge, bottom + edge))
        self._add_place(CodePlace((left, bottom, edge), self.structure.mark(figure)))

    def add_fold(self) -> None:
        """A dashed line across the middle, where the page is folded, if the layout wants one."""
        if self.layout.fold:
            y = self.layout.height / 2
            ends = numbers(0, y), numbers(self.layout.width, y)
            self._add_artifact(b"q %s RG 0.6 w [2 4] 0 d %s m %s l S Q" % (_rgb(self._palette.line), *ends))

    def draw(self, block: Block, fitted: Fitted, find_font: FindFont) -> bytes:
        """Operators for lines inside a block."""
        parts = []
        for n, line in enumerate(fitted.lines):
            x, y = self.place(block, line.width, fitted.size, n)
            parts.append(draw_line(line, x, y, fitted.size, find_font))
        return b"\n".join(parts)

    def place(self, block: Block, width: int, size: float, line: int = 0) -> tuple[float, float]:
        """Where a line begins, ``width`` in thousandths of its size; counted from the block's first line."""
        share = _SHARES[block.style.align]
        if self._right_to_left:
            share = 1 - share
        x = block.x + (block.width - width * size / 1000) * share
        return x, self.layout.height - block.top - (line * LINE_HEIGHT + _BASELINE) * size

    def _add(self, operators: bytes) -> None:
        (self._closing if self.sequence else self._content).append(operators)

    def _add_place(self, place: Slot | CodePlace) -> None:
        if self._closing:
            self.sequence.append(self.closing)
            self._closing.clear()
        self.sequence.append(place)

    def _add_artifact(self, operators: bytes) -> None:
        self._background.append(b"/Artifact BMC\n" + operators + _END)

    def _add_image(self, name: str, alternative: str, box: tuple[float, float, float, float]) -> None:
        left, bottom, width, height = box
        figure = self.structure.element("Figure", alternative, (left, bottom, left + width, bottom + height))
        place = b"%s 0 0 %s cm" % (numbers(width), numbers(height, left, bottom))
        self._content.append(b"%s q %s /%s Do Q" % (self.structure.mark(figure), place, name.encode("ascii")) + _END)

    def _plate(self, box: tuple[float, float, float, float], radius: float) -> bytes:
        """A white plate with a thin edge: what stands on it can be read whatever lies around."""
        path = rounded_rectangle(*box, radius)
        return b"/Artifact BMC\nq 1 g %s RG 0.75 w %s B Q" % (_rgb(self._palette.line), path) + _END

    def _colour(self, block: Block) -> Colour:
        return self._palette.muted if block.is_label else self._palette.text(self.layout.texts[block.element].colour)

    def _box(self, frame: Frame) -> tuple[float, float, float, float]:
        """A frame as left, bottom, width, height; mirrored on pages read from the right."""
        x, top, width, height = frame
        if self._right_to_left:
            x = self.layout.width - x - width
        return x, self.layout.height - top - height, width, height

    def _ornament(self, box: tuple[float, float, float, float]) -> bytes:
        """Rings in tints of the accent colour."""
        left, bottom, width, height = box
        band, area = self._palette.band, numbers(*box)
        parts = [b"q %s re W n %s rg %s re f" % (area, _rgb(band), area)]
        centre = left + width * (0.16 if self._right_to_left else 0.84), bottom + height * 0.95
        for n in range(7, 0, -1):
            tint = mix(band, WHITE, 0.045 * (8 - n))
            parts.append(b"%s rg %s f" % (_rgb(tint), circle(*centre, n * height * 0.2)))
        parts.append(b"Q")
        return b"\n".join(parts)


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
                parts.append(b"%s %s%s" % (piece.begin, draw_qr(symbol, piece.area), _END))
            else:
                element = piece.block.element
                text = texts[element]
                drawn = self._drawn.get((element, text)) or self._draw_quickly(piece, text)
                if drawn is None:
                    fitted = self._fit(piece, text)
                    self._learn(fitted, text)
                    try:
                        drawn = self._draw(piece, fitted, self._fonts)
                    except KeyError:  # a font or glyph that the page does not have
                        waiting.append((len(parts), piece, fitted))
                        drawn = b""
                if drawn and element in _RECURRING:
                    if len(self._drawn) >= _REMEMBERED:
                        self._drawn.clear()
                    self._drawn[element, text] = drawn
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
        return slot.begin + setter.draw(text, *self._page.place(block, width, style.size), style.size) + _END

    def _learn(self, fitted: Fitted, text: str) -> None:
        for line in fitted.lines:
            for run in line.runs:
                # A run that is not the whole text may be in another order or have other neighbours.
                if run.font.weight in self._kerned and run.font in self._fonts and "".join(run.texts) == text:
                    self._kerned[run.font.weight].learn(run)

    def _draw(self, slot: Slot, fitted: Fitted, fonts: Mapping[FontInstance, EmbeddedFont]) -> bytes:
        def find(run: GlyphRun) -> EmbeddedFont:
            return fonts[run.font]

        return slot.begin + self._page.draw(slot.block, fitted, find) + _END


def _embed(texts: list[Fitted]) -> dict[FontInstance, TicketFont]:
    uses: dict[FontInstance, dict[GlyphUse, int]] = {}
    for text in texts:
        for line in text.lines:
            for run in line.runs:
                uses.setdefault(run.font, {}).update(run.uses())
    return {font: TicketFont(b"T%d" % n, font, used) for n, (font, used) in enumerate(uses.items())}


def _rgb(colour: Colour) -> bytes:
    return numbers(*colour)
