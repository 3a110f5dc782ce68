"""Golden tests. After an intended change, copy the output of the structure test into ``data/structure.json``."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pikepdf
from samples import NAMES, make_event, make_ticket

from ticketkit import EventTemplate
from ticketkit.gallery.samples import OWN_LAYOUT

_ROOT = Path(__file__).parents[2]
_DATA = Path(__file__).parent / "data"


def test_the_structure_tree_is_unchanged() -> None:
    pdf = EventTemplate(make_event()).render_pdf(make_ticket())
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        elements = opened.Root.StructTreeRoot.K[0].K
        found = [[str(element.S), len(element.K), str(element.get("/Alt", ""))] for element in elements]
    assert found == json.loads((_DATA / "structure.json").read_text("utf-8")), json.dumps(found, indent=1)


def test_the_documented_layout_is_accepted() -> None:
    document = (_ROOT / "docs" / "reference" / "ticket-layout.md").read_text("utf-8")
    layout = json.loads(document.split("```json\n")[1].split("```")[0])
    assert EventTemplate(make_event(), layout).render_pdf(make_ticket())
    assert layout == OWN_LAYOUT, "the example must be the layout of the picture below it"


def test_a_template_is_thread_safe() -> None:
    tickets = [make_ticket(holder=name, quantity=n % 3 + 1) for n, name in enumerate(NAMES.values())] * 4
    alone = EventTemplate(make_event())
    expected = [alone.render_pdf(ticket) for ticket in tickets]
    shared = EventTemplate(make_event())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared.render_pdf, tickets)) == expected
