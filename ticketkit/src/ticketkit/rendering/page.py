"""Compose an event's page once, with slots for what differs between tickets, and fill the slots for each ticket."""

from collections.abc import Mapping
from dataclasses import dataclass

from ticketkit.rendering.colour import WHITE, Colour, mix
from ticketkit.rendering.layout.model import Frame, Layout
from ticketkit.rendering.layout.placing import AlteredText, Block, TextLanguage, altered_text
from ticketkit.rendering.palette import Palette
from ticketkit.rendering.pdf.fonts import EmbeddedFont, GlyphUse, TicketFont
from ticketkit.rendering.pdf.objects import numbers
from ticketkit.rendering.pdf.shapes import circle, rounded_rectangle
from ticketkit.rendering.pdf.structure import PageStructure
from ticketkit.rendering.pdf.text import FindFont, KernedText, PlainText, UnshapedText, draw_line
from ticketkit.rendering.pictures import LOGO_MARGIN_POINTS, Picture
from ticketkit.rendering.qr import QrSymbol
from ticketkit.rendering.qr.drawing import draw_qr
from ticketkit.rendering.text.fitting import LINE_HEIGHT, Fitted, fit
from ticketkit.rendering.text.fonts import LATIN, FontInstance, typeface
from ticketkit.rendering.text.shaping import GlyphRun

_END = b"\nEMC"
_BASELINE = 0.98  # of the font size, from the top of the line; leaves room for accents on capitals
_SHARES = {"start": 0.0, "center": 0.5, "end": 1.0}

# Elements whose texts often repeat between tickets.
_CACHED_ELEMENTS = frozenset(("ticket_type", "price", "quantity", "date"))
_CACHE_SIZE = 256


@dataclass(frozen=True, slots=True)
class TextSlot:
    """A slot for a ticket's text: its block, and the operators that begin its marked content."""

    block: Block
    begin: bytes


@dataclass(frozen=True, slots=True)
class QrSlot:
    """The slot for the QR code with its quiet zone: left, bottom and width in points."""

    area: tuple[float, float, float]
    begin: bytes


class Page:
    """A page: ``static`` operators, then ``sequence`` with the ticket's slots, then ``closing`` operators."""

    def __init__(self, layout: Layout, palette: Palette, right_to_left: bool, find_font: FindFont) -> None:
        self.layout = layout
        self.structure = PageStructure()
        self.sequence: list[bytes | TextSlot | QrSlot] = []
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
        """The operators before the first slot."""
        return b"\n".join(self._background + self._content)

    @property
    def closing(self) -> bytes:
        """The operators after the last slot."""
        return b"\n".join(self._closing)

    def add_pictures(self, pictures: Mapping[str, Picture], alternatives: Mapping[str, str]) -> None:
        """Add the cover (or an ornament) and the logo, with their alternative texts."""
        frames = self.layout.pictures
        if "cover" in frames:
            box = self._box(frames["cover"])
            if "Cover" in pictures:
                self._add_image("Cover", alternatives["Cover"], box)
            else:
                self._add_artifact(self._ornament(box))
        if "Logo" in pictures:
            left, bottom, width, height = self._box(frames["logo"])
            # Drawn over the cover, so it must come later in the content.
            self._content.append(self._white_background((left, bottom, width, height), 8))
            logo = pictures["Logo"]
            scale = min((width - 2 * LOGO_MARGIN_POINTS) / logo.width, (height - 2 * LOGO_MARGIN_POINTS) / logo.height)
            drawn = logo.width * scale, logo.height * scale
            x, y = left + (width - drawn[0]) / 2, bottom + (height - drawn[1]) / 2
            self._add_image("Logo", alternatives["Logo"], (x, y, *drawn))

    def add_texts(self, blocks: list[Block]) -> None:
        """Add texts in reading order; a label and its value are one paragraph."""
        paragraph = self.structure.element("P")
        label_of = ""
        for block in blocks:
            if block.is_label or label_of != block.element:
                paragraph = self.structure.element("H1" if block.element == "title" else "P")
            label_of = block.element if block.is_label else ""
            begin = b"%s %s rg " % (self.structure.mark(paragraph), _rgb(self._colour(block)))
            if block.fitted is None:
                self._add_slot(TextSlot(block, begin))
            else:
                self._add(begin + self.draw(block, block.fitted, self._find_font) + _END)

    def add_code(self, alternative: str) -> None:
        """Add the white background of the code, and its slot."""
        left, bottom, width, height = self._box(self.layout.pictures["qr"])
        edge = min(width, height)
        left, bottom = left + (width - edge) / 2, bottom + (height - edge) / 2
        self._background.append(self._white_background((left, bottom, edge, edge), 10))
        figure = self.structure.element("Figure", alternative, (left, bottom, left + edge, bottom + edge))
        self._add_slot(QrSlot((left, bottom, edge), self.structure.mark(figure)))

    def add_fold(self) -> None:
        """Add a dashed line across the middle of the page, if the layout has a fold line."""
        if self.layout.fold:
            y = self.layout.height / 2
            ends = numbers(0, y), numbers(self.layout.width, y)
            self._add_artifact(b"q %s RG 0.6 w [2 4] 0 d %s m %s l S Q" % (_rgb(self._palette.line), *ends))

    def draw(self, block: Block, fitted: Fitted, find_font: FindFont) -> bytes:
        """Return the operators that draw fitted lines inside a block."""
        parts = []
        for n, line in enumerate(fitted.lines):
            x, y = self.place(block, line.width, fitted.size, n)
            parts.append(draw_line(line, x, y, fitted.size, find_font))
        return b"\n".join(parts)

    def place(self, block: Block, width: int, size: float, line: int = 0) -> tuple[float, float]:
        """Return where the baseline of a block's line begins; ``width`` is in thousandths of ``size``."""
        share = _SHARES[block.style.align]
        if self._right_to_left:
            share = 1 - share
        x = block.x + (block.width - width * size / 1000) * share
        return x, self.layout.height - block.top - (line * LINE_HEIGHT + _BASELINE) * size

    def _add(self, operators: bytes) -> None:
        (self._closing if self.sequence else self._content).append(operators)

    def _add_slot(self, slot: TextSlot | QrSlot) -> None:
        if self._closing:
            self.sequence.append(self.closing)
            self._closing.clear()
        self.sequence.append(slot)

    def _add_artifact(self, operators: bytes) -> None:
        self._background.append(b"/Artifact BMC\n" + operators + _END)

    def _add_image(self, name: str, alternative: str, box: tuple[float, float, float, float]) -> None:
        left, bottom, width, height = box
        figure = self.structure.element("Figure", alternative, (left, bottom, left + width, bottom + height))
        matrix = b"%s 0 0 %s cm" % (numbers(width), numbers(height, left, bottom))
        self._content.append(b"%s q %s /%s Do Q" % (self.structure.mark(figure), matrix, name.encode("ascii")) + _END)

    def _white_background(self, box: tuple[float, float, float, float], radius: float) -> bytes:
        """Return a white rounded rectangle with a thin edge, a background for the code or the logo."""
        path = rounded_rectangle(*box, radius)
        return b"/Artifact BMC\nq 1 g %s RG 0.75 w %s B Q" % (_rgb(self._palette.line), path) + _END

    def _colour(self, block: Block) -> Colour:
        return self._palette.muted if block.is_label else self._palette.text(self.layout.texts[block.element].colour)

    def _box(self, frame: Frame) -> tuple[float, float, float, float]:
        """Return a frame as left, bottom, width, height; mirrored in right-to-left languages."""
        x, top, width, height = frame
        if self._right_to_left:
            x = self.layout.width - x - width
        return x, self.layout.height - top - height, width, height

    def _ornament(self, box: tuple[float, float, float, float]) -> bytes:
        """Return concentric circles in tints of the accent colour, drawn in place of a cover."""
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
    """Fills a page's slots for a ticket, with the page's shared fonts and extra fonts for glyphs that they lack."""

    def __init__(self, page: Page, fonts: Mapping[FontInstance, EmbeddedFont], language: TextLanguage) -> None:
        self._page = page
        self._fonts = fonts
        self._language = language
        self._drawn: dict[tuple[str, str], bytes] = {}
        latin = {font.weight: own for font, own in fonts.items() if font.typeface is typeface(LATIN)}
        self._plain = {weight: PlainText(font) for weight, font in latin.items()}
        # Unsafe in right-to-left pages: Latin text that ends in punctuation is more than one run there.
        self._kerned = {} if language.right_to_left else {weight: KernedText(font) for weight, font in latin.items()}

    def fill(self, texts: Mapping[str, str], symbol: QrSymbol) -> tuple[bytes, list[TicketFont]]:
        """Return the ticket's content stream, and the extra fonts that it needs."""
        parts: list[bytes] = []
        unembedded: list[tuple[int, TextSlot, Fitted]] = []
        for piece in self._page.sequence:
            if isinstance(piece, bytes):
                parts.append(piece)
            elif isinstance(piece, QrSlot):
                parts.append(b"%s %s%s" % (piece.begin, draw_qr(symbol, piece.area), _END))
            else:
                element = piece.block.element
                text = texts[element]
                drawn = self._drawn.get((element, text)) or self._draw_unshaped(piece, text)
                if drawn is None:
                    fitted = self._fit(piece, text)
                    self._learn(fitted, text)
                    try:
                        drawn = self._draw(piece, fitted, self._fonts)
                    except KeyError:  # a font or glyph that the page's fonts lack
                        unembedded.append((len(parts), piece, fitted))
                        drawn = b""
                if drawn and element in _CACHED_ELEMENTS:
                    if len(self._drawn) >= _CACHE_SIZE:
                        self._drawn.clear()
                    self._drawn[element, text] = drawn
                parts.append(drawn)
        extra = _embed([fitted for _, _, fitted in unembedded]) if unembedded else {}
        for index, slot, fitted in unembedded:
            parts[index] = self._draw(slot, fitted, extra)
        return b"\n".join(parts), list(extra.values())

    def altered_texts(self, texts: Mapping[str, str]) -> list[AlteredText]:
        """Return the ticket's texts that are not drawn as written."""
        slots = [piece for piece in self._page.sequence if isinstance(piece, TextSlot)]
        named = [(slot, slot.block.element, texts[slot.block.element]) for slot in slots]
        return [found for slot, name, text in named if (found := altered_text(name, text, self._fit(slot, text)))]

    def _fit(self, slot: TextSlot, text: str) -> Fitted:
        block, language = slot.block, self._language
        return fit(text, block.style, block.width, block.height, language.tag, language.right_to_left)

    def _draw_unshaped(self, slot: TextSlot, text: str) -> bytes | None:
        """Return a text drawn at full size without shaping, or None if it needs shaping or does not fit."""
        block = slot.block
        style = block.style
        try:
            setter: UnshapedText = (self._plain if style.identifier else self._kerned)[style.weight]
            width = setter.width(text)
        except KeyError:
            return None
        if width * style.size / 1000 > block.width:
            return None
        return slot.begin + setter.draw(text, *self._page.place(block, width, style.size), style.size) + _END

    def _learn(self, fitted: Fitted, text: str) -> None:
        for line in fitted.lines:
            for run in line.runs:
                # Only runs of the whole text: parts may be reordered or have other neighbours.
                if run.font.weight in self._kerned and run.font in self._fonts and "".join(run.texts) == text:
                    self._kerned[run.font.weight].learn(run)

    def _draw(self, slot: TextSlot, fitted: Fitted, fonts: Mapping[FontInstance, EmbeddedFont]) -> bytes:
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
