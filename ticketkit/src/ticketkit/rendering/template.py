"""An event's tickets: everything that is the same is made once, each ticket adds a short tail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticketkit.rendering.content import TICKET_ELEMENTS, clean_text, event_texts, ticket_texts
from ticketkit.rendering.details import EventDetails, RenderedTicket, TicketDetails
from ticketkit.rendering.labels import check_language, is_right_to_left, labels_for
from ticketkit.rendering.layout.loading import load_layout
from ticketkit.rendering.layout.placing import Block, Compromise, Setting, place_texts
from ticketkit.rendering.page import Page, PageFiller
from ticketkit.rendering.palette import Palette
from ticketkit.rendering.pdf.document import DocumentSource, build_beginning
from ticketkit.rendering.pdf.fonts import GlyphUse, SharedFont
from ticketkit.rendering.pdf.objects import Beginning
from ticketkit.rendering.pictures import Picture, prepare_cover, prepare_logo
from ticketkit.rendering.qr import QrSymbol, qr_matrix
from ticketkit.rendering.qr.drawing import symbol_png
from ticketkit.rendering.text.fonts import FontInstance
from ticketkit.rendering.text.shaping import shape_line

# Drawn from the template's own fonts: what names, prices and ids in Latin letters are mostly made of.
_COMMON_CHARACTERS = (
    " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;!?'’–-/()&#+@_*%$€£"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýß" "ÁÄÅÇÉÍÑÓÖØÚÜ" "ąćčęěğıłńňőřśşšůűźżžČŁŚŞŠŽ"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Variant:
    """The template of those tickets that have the same elements."""

    beginning: Beginning
    filler: PageFiller
    complaints: list[str]


class EventTemplate:
    """Renders the tickets of one event.

    Building takes some tens of milliseconds (pictures, fonts, static texts); a ticket then takes well under one.
    ``layout`` overrides parts of a built-in layout (see ``layout/schema.json``). Raises RenderingError for a layout,
    picture, colour, language or time zone that is none. No text is refused: what cannot be drawn is drawn as well as
    possible, and ``complaints`` say so. May be shared between threads.
    """

    def __init__(self, event: EventDetails, layout: Mapping[str, Any] | None = None) -> None:
        check_language(event.language)
        self._event = event
        self._layout = load_layout(layout)
        self._labels = labels_for(event.language)
        self._palette = Palette.of(self._layout, event.accent)
        self._setting = Setting(event.language, is_right_to_left(event.language))
        self._texts = event_texts(event, self._labels)
        self._pictures = self._prepare_pictures()
        self._variants: dict[frozenset[str], _Variant] = {}
        # Most tickets have all elements: building theirs now shows what is wrong with event or layout at once.
        dateless = set() if "date" in self._texts else {"date"}
        self.complaints = self._build(frozenset((*TICKET_ELEMENTS, *dateless))).complaints

    def render(self, ticket: TicketDetails) -> RenderedTicket:
        """The ticket's PNG and PDF, both with the same code."""
        symbol = qr_matrix(ticket.code)
        return RenderedTicket(symbol_png(symbol), self._render_pdf(ticket, symbol))

    def render_pdf(self, ticket: TicketDetails) -> bytes:
        """The ticket as a PDF of one page."""
        return self._render_pdf(ticket, qr_matrix(ticket.code))

    def compromises(self, ticket: TicketDetails) -> list[Compromise]:
        """The ticket's own texts that its PDF shows otherwise than they are written."""
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)
        variant = self._variants.get(frozenset(texts)) or self._build(frozenset(texts))
        return variant.filler.compromises(texts)

    def _render_pdf(self, ticket: TicketDetails, symbol: QrSymbol) -> bytes:
        texts = ticket_texts(ticket, self._labels, "date" not in self._texts)
        variant = self._variants.get(frozenset(texts)) or self._build(frozenset(texts))
        content, fonts = variant.filler.fill(texts, symbol)
        return variant.beginning.complete(content, fonts)

    def _prepare_pictures(self) -> dict[str, Picture]:
        pictures = {}
        frames = self._layout.pictures
        if self._event.cover and "cover" in frames:
            pictures["Cover"] = prepare_cover(self._event.cover, *frames["cover"][2:])
        if self._event.logo and "logo" in frames:
            pictures["Logo"] = prepare_logo(self._event.logo, *frames["logo"][2:])
        return pictures

    def _build(self, present: frozenset[str]) -> _Variant:
        """Build the variant of the tickets that have these elements, and keep it."""
        blocks, complaints = place_texts(self._layout, self._texts, self._labels, present, self._setting)
        fonts = self._embed_fonts(blocks)
        page = Page(self._layout, self._palette, self._setting.right_to_left, lambda run: fonts[run.font])
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
        variant = _Variant(build_beginning(source), PageFiller(page, fonts, self._setting), complaints)
        self._variants[present] = variant
        return variant

    def _alternatives(self) -> dict[str, str]:
        """What the pictures show, for those who cannot see them."""
        logo = ": ".join(filter(None, (self._labels["logo"], clean_text(self._event.organiser))))
        return {"Cover": f"{self._labels['cover']}: {self._texts['title']}", "Logo": logo}

    def _embed_fonts(self, blocks: list[Block]) -> dict[FontInstance, SharedFont]:
        """Fonts for the event's texts and for the common characters at the weights of a ticket's texts."""
        lines = [line for block in blocks if block.fitted for line in block.fitted.lines]
        weights = {block.style.weight for block in blocks if block.fitted is None}
        for weight in sorted(weights):
            lines.append(shape_line(_COMMON_CHARACTERS, weight, "en", False))
        uses: dict[FontInstance, dict[GlyphUse, int]] = {}
        for line in lines:
            for run in line.runs:
                uses.setdefault(run.font, {}).update(run.uses())
        return {font: SharedFont(b"F%d" % n, font, used) for n, (font, used) in enumerate(uses.items())}
