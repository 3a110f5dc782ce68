"""Assemble the shared part of an event's PDFs: pictures, fonts, static content, structure, metadata."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ticketkit.rendering.pdf.fonts import EmbeddedFont
from ticketkit.rendering.pdf.metadata import srgb_profile, xmp_packet
from ticketkit.rendering.pdf.objects import (
    CONTENT,
    PAGE,
    PdfPrefix,
    PdfPrefixWriter,
    numbers,
    reference,
    small_stream,
    stream,
    text_string,
)
from ticketkit.rendering.pdf.structure import PageStructure
from ticketkit.rendering.pictures import Picture


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """The parts of a document that all tickets share.

    ``size`` is the page's width and height in points. ``content`` is drawn before a ticket's own content, ``closing``
    after it.
    """

    title: str
    language: str
    size: tuple[float, float]
    content: bytes
    closing: bytes
    structure: PageStructure
    fonts: Iterable[EmbeddedFont]
    pictures: Mapping[str, Picture]


def build_prefix(source: DocumentSource) -> PdfPrefix:
    """Return the serialised objects that all tickets share."""
    writer = PdfPrefixWriter()
    images = [
        b"/%s %s" % (name.encode("ascii"), reference(writer.add(stream(picture.dictionary, picture.data))))
        for name, picture in source.pictures.items()
    ]
    fonts = [b"/%s %s" % (font.name, reference(_add_font(writer, font))) for font in source.fonts]
    before, after = (reference(writer.add(small_stream(b"", part))) for part in (source.content, source.closing))
    pages = writer.add(b"<</Type/Pages/Kids[%s]/Count 1>>" % reference(PAGE))
    catalog = _add_catalog(writer, source, pages)
    page_head = b"<</Type/Page/Parent %s/MediaBox[0 0 %s]/Contents[%s %s %s]/StructParents 0/Tabs/S" % (
        reference(pages),
        numbers(*source.size),
        before,
        reference(CONTENT),
        after,
    )
    resources = b"/Resources<</XObject<<%s>>/Font<<%s" % (b"".join(images), b"".join(fonts))
    return writer.finish(catalog, page_head + resources)


def _add_font(writer: PdfPrefixWriter, font: EmbeddedFont) -> int:
    first = writer.last + 1
    for body in font.objects(first, small=True):
        writer.add(body)
    return first


def _add_catalog(writer: PdfPrefixWriter, source: DocumentSource, pages: int) -> int:
    structure = source.structure.write(writer, PAGE)
    # Not compressed, so that indexing tools can read the metadata without decoding streams.
    metadata = writer.add(stream(b"/Type/Metadata/Subtype/XML", xmp_packet(source.title, source.language)))
    profile = writer.add(small_stream(b"/N 3", srgb_profile()))
    return writer.add(
        b"<</Type/Catalog/Pages %s/MarkInfo<</Marked true>>/Lang%s/ViewerPreferences<</DisplayDocTitle true>>"
        b"/StructTreeRoot %s/Metadata %s/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1"
        b"/OutputConditionIdentifier(sRGB)/Info(sRGB)/DestOutputProfile %s>>]>>"
        % (
            reference(pages),
            text_string(source.language),
            reference(structure),
            reference(metadata),
            reference(profile),
        )
    )
