"""Render the tickets of an event: shared parts are built once per event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticketkit.rendering.content import TICKET_ELEMENTS, clean_text, event_texts, ticket_texts
from ticketkit.rendering.details import EventDetails, RenderedTicket, TicketDetails
from ticketkit.rendering.labels import check_language, is_right_to_left, labels_for
from ticketkit.rendering.layout.loading import load_layout
from ticketkit.rendering.layout.placing import AlteredText, Block, TextLanguage, place_texts
from ticketkit.rendering.page import Page, PageFiller
from ticketkit.rendering.palette import Palette
from ticketkit.rendering.pdf.document import DocumentSource, build_prefix
from ticketkit.rendering.pdf.fonts import GlyphUse, SharedFont
from ticketkit.rendering.pdf.objects import PdfPrefix
from ticketkit.rendering.pictures import Picture, prepare_cover, prepare_logo
from ticketkit.rendering.qr import QrSymbol, qr_matrix
from ticketkit.rendering.qr.drawing import symbol_png
from ticketkit.rendering.text.fonts import FontInstance
from ticketkit.rendering.text.shaping import shape_line

# Embedded with every template: names, prices and ids in Latin script rarely need other characters.
_COMMON_CHARACTERS = (
    " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;!?'’–-/()&#+@_*%$€£"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýß" "ÁÄÅÇÉÍÑÓÖØÚÜ" "ąćčęěğıłńňőřśşšůűźżžČŁŚŞŠŽ"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Variant:
    """The template of the tickets with the same set of elements."""

    prefix: PdfPrefix
    filler: PageFiller
    warnings: list[str]


class EventTemplate:
    """Renders the tickets of one event.

    Building a template takes tens of milliseconds (pictures, fonts, static texts), a ticket less than one. ``layout``
    overrides parts of a built-in layout (see ``layout/schema.json``). Every text is accepted: ``warnings`` lists the
    event's texts that do not fit or cannot be drawn as written. Thread-safe. Raises RenderingError for an invalid
    layout, picture, colour, language or time zone, and FontError if a font is missing.
    """

    def __init__(self, event: EventDetails, layout: Mapping[str, Any] | None = None) -> None:
        check_language(event.language)
        self._event = event
        self._layout = load_layout(layout)
        self._labels = labels_for(event.language)
        self._palette = Palette.of(self._layout, event.accent)
        self._language = TextLanguage(event.language, is_right_to_left(event.language))
        self._texts = event_texts(event, self._labels)
        self._pictures = self._prepare_pictures()
        self._variants: dict[frozenset[str], _Variant] = {}
        # Built eagerly, so that errors in the event or layout are raised here. Most tickets have all elements.
        dateless = set() if "date" in self._texts else {"date"}
        self.warnings = self._build(frozenset((*TICKET_ELEMENTS, *dateless))).warnings

    def render(self, ticket: TicketDetails) -> RenderedTicket:
        """Return the ticket as a PNG of its QR code and a PDF.

        Raises RenderingError if the code is too long or the ticket has no id.
        """
        symbol = qr_matrix(ticket.code)
        return RenderedTicket(symbol_png(symbol), self._render_pdf(ticket, symbol))

    def render_pdf(self, ticket: TicketDetails) -> bytes:
        """Return the ticket as a PDF of one page. Raises RenderingError as `render` does."""
        return self._render_pdf(ticket, qr_matrix(ticket.code))

    def altered_texts(self, ticket: TicketDetails) -> list[AlteredText]:
        """Return the ticket's own texts that its PDF does not show as written."""
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)
        variant = self._variants.get(frozenset(texts)) or self._build(frozenset(texts))
        return variant.filler.altered_texts(texts)

    def _render_pdf(self, ticket: TicketDetails, symbol: QrSymbol) -> bytes:
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)
        variant = self._variants.get(frozenset(texts)) or self._build(frozenset(texts))
        content, fonts = variant.filler.fill(texts, symbol)
        return variant.prefix.complete(content, fonts)

    def _prepare_pictures(self) -> dict[str, Picture]:
        pictures = {}
        frames = self._layout.pictures
        if self._event.cover and "cover" in frames:
            pictures["Cover"] = prepare_cover(self._event.cover, *frames["cover"][2:])
        if self._event.logo and "logo" in frames:
            pictures["Logo"] = prepare_logo(self._event.logo, *frames["logo"][2:])
        return pictures

    def _build(self, present: frozenset[str]) -> _Variant:
        """Build and cache the variant for tickets with these elements."""
        blocks, warnings = place_texts(self._layout, self._texts, self._labels, present, self._language)
        fonts = self._embed_fonts(blocks)
        page = Page(self._layout, self._palette, self._language.right_to_left, lambda run: fonts[run.font])
        page.add_pictures(self._pictures, self._alternatives())
        last = max((n for n, block in enumerate(blocks) if block.element in TICKET_ELEMENTS), default=-1) + 1
        page.add_texts(blocks[:last])
        page.add_code(self._labels["qr"])
        page.add_texts(blocks[last:])
        page.add_fold()
        size = (self._layout.width, self._layout.height)
        title = self._texts["title"]
        source = DocumentSource(
            title=title,
            language=self._event.language,
            size=size,
            content=page.static,
            closing=page.closing,
            structure=page.structure,
            fonts=fonts.values(),
            pictures=self._pictures,
        )
        variant = _Variant(build_prefix(source), PageFiller(page, fonts, self._language), warnings)
        self._variants[present] = variant
        return variant

    def _alternatives(self) -> dict[str, str]:
        """Return the alternative texts of the pictures, for screen readers."""
        logo = ": ".join(filter(None, (self._labels["logo"], clean_text(self._event.organiser))))
        return {"Cover": f"{self._labels['cover']}: {self._texts['title']}", "Logo": logo}

    def _embed_fonts(self, blocks: list[Block]) -> dict[FontInstance, SharedFont]:
        """Return fonts with the event's texts, and with common characters in the weights of the ticket's own texts."""
        lines = [line for block in blocks if block.fitted for line in block.fitted.lines]
        weights = sorted({block.style.weight for block in blocks if block.fitted is None})
        lines += [shape_line(_COMMON_CHARACTERS, weight, "en", False) for weight in weights]
        uses: dict[FontInstance, dict[GlyphUse, int]] = {}
        for line in lines:
            for run in line.runs:
                uses.setdefault(run.font, {}).update(run.uses())
        return {font: SharedFont(b"F%d" % n, font, used) for n, (font, used) in enumerate(uses.items())}
