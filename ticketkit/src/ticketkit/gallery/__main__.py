"""Write the gallery page and its pictures below a documentation folder."""

import argparse
from pathlib import Path

import pypdfium2
from PIL import Image

from ticketkit import EventTemplate
from ticketkit.gallery.samples import Sample, samples

DPI = 64
_COLOURS = 96
_PAGE = Path("explanation/ticket-gallery.md")
_PICTURES = Path("images/tickets")
_INTRODUCTION = """# Tickets in ten languages

Each ticket is rendered from an event, a ticket, and in some cases layout changes: US Letter instead of A4, a page for
phones, dark paper, or no cover. Labels, dates and writing direction follow the event's language; names keep their own
script. The last one has the [layout of the reference](../reference/ticket-layout.md). To render them again, run
`.venv/bin/python -m ticketkit.gallery docs` in the repository's root folder.
"""


def write_gallery(docs: Path) -> list[Path]:
    """Write the page and a picture of each sample, and return the paths."""
    (docs / _PICTURES).mkdir(parents=True, exist_ok=True)
    (docs / _PAGE).parent.mkdir(parents=True, exist_ok=True)
    written, sections = [], [_INTRODUCTION]
    for sample in samples():
        pdf = EventTemplate(sample.event, sample.layout).render_pdf(sample.ticket)
        path = docs / _PICTURES / f"{sample.name}.png"
        _picture(pdf).save(path, optimize=True)
        written.append(path)
        sections.append(_section(sample, len(pdf)))
    page = docs / _PAGE
    page.write_text("\n".join(sections), encoding="utf-8")
    return [page, *written]


def _picture(pdf: bytes) -> Image.Image:
    page: Image.Image = pypdfium2.PdfDocument(pdf)[0].render(scale=DPI / 72).to_pil().convert("RGB")
    return page.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _section(sample: Sample, size: int) -> str:
    base = sample.layout.get("base", "a4")
    source = f"../{_PICTURES.as_posix()}/{sample.name}.png"
    caption = f"Ticket for {sample.event.title}, in {sample.event.language}"
    facts = f"`{sample.event.language}`, {base}, {size / 1000:.0f} KB"
    return f"## {sample.event.title}\n\n{facts}\n\n![{caption}]({source})\n"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m ticketkit.gallery", description=__doc__)
    parser.add_argument("docs", type=Path, help="the documentation folder")
    write_gallery(parser.parse_args().docs)


if __name__ == "__main__":
    main()
