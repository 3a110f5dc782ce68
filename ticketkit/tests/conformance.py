"""Check a PDF for conformance with PDF/A-2u (ISO 19005-2) and PDF/UA-1 (ISO 14289-1).

They cover what our writer can get wrong on a page with text, pictures and paths. There are no forms, annotations,
attachments or scripts; that these are absent is checked.
"""

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pikepdf
from fontTools.cffLib import CFFFontSet  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

Violation = tuple[str, str]
Instruction = pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage

_PAINTING = {"Tj", "TJ", "'", '"', "Do", "f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "sh", "BI", "INLINE IMAGE"}
_STANDARD_ROLES = {"/Document", "/P", "/H1", "/H2", "/Figure", "/Span"}
_FORBIDDEN_ANYWHERE = {
    "/JS",
    "/JavaScript",
    "/OpenAction",
    "/AA",
    "/AcroForm",
    "/EmbeddedFiles",
    "/Annots",
    "/OCProperties",
}
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
}


def violations(data: bytes) -> list[Violation]:
    """Return the violations as pairs of the rule's clause and a description."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        page = pdf.pages[0]
        content = list(pikepdf.parse_content_stream(page))
        return [
            *_file_structure(data, pdf),
            *_colour(pdf, page),
            *_fonts(page, content),
            *_metadata(pdf),
            *_tags(pdf, page, content),
            *_forbidden(pdf),
        ]


def _file_structure(data: bytes, pdf: pikepdf.Pdf) -> Iterator[Violation]:
    if not re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", data):
        yield "A-2 6.1.2", "the header lacks the version or the comment of four bytes above 127"
    if not data.rstrip(b"\r\n").endswith(b"%%EOF"):
        yield "A-2 6.1.3", "there is data after the last end-of-file marker"
    if len(pdf.trailer.get("/ID", [])) != 2:
        yield "A-2 6.1.3", "the trailer has no ID"
    if pdf.is_encrypted:
        yield "A-2 6.1.3", "the file is encrypted"
    for match in re.finditer(rb"/Length (\d+)>>stream\n", data):
        end = match.end() + int(match.group(1))
        if data[end : end + 10] != b"\nendstream":
            yield "A-2 6.1.7.1", f"a stream's Length at {match.start()} does not match its data"
    for stream in _streams(pdf):
        filters = stream.get("/Filter", pikepdf.Array())
        names = [filters] if isinstance(filters, pikepdf.Name) else list(filters)
        if any(str(name) not in ("/FlateDecode", "/DCTDecode") for name in names):
            yield "A-2 6.1.7.2", f"a stream uses {names}"


def _colour(pdf: pikepdf.Pdf, page: pikepdf.Page) -> Iterator[Violation]:
    intents = [intent for intent in pdf.Root.get("/OutputIntents", []) if intent.get("/S") == "/GTS_PDFA1"]
    if len(intents) != 1:
        yield "A-2 6.2.3", "there is not exactly one PDF/A output intent"
    else:
        profile = intents[0].DestOutputProfile
        icc = profile.read_bytes()
        if profile.N != 3 or icc[36:40] != b"acsp" or icc[16:20] != b"RGB " or icc[12:16] != b"mntr" or icc[8] > 4:
            yield "A-2 6.2.3", "the output intent's profile is no RGB display profile"
    for name, image in page.Resources.get("/XObject", {}).items():
        if image.get("/Interpolate", False) or "/Alternates" in image or "/OPI" in image:
            yield "A-2 6.2.8", f"image {name} has Interpolate, Alternates or OPI"
        if "/SMask" in image:
            yield "A-2 6.2.10", f"image {name} is transparent on a page without a blending colour space"
    if "/ExtGState" in page.Resources:
        yield "A-2 6.2.5", "graphics states need a check of their own"


def _fonts(page: pikepdf.Page, content: list[Instruction]) -> Iterator[Violation]:
    used = _used_codes(content)
    for name, font in page.Resources.Font.items():
        codes = used.get(name, set())
        if "/ToUnicode" not in font:
            yield "A-2 6.2.11.7.2", f"font {name} has no ToUnicode"
            continue
        texts = _to_unicode(font.ToUnicode.read_bytes())
        for code in sorted(codes):
            text = texts.get(code, "")
            if not text or any(char in "\0\ufeff\ufffe" for char in text):
                yield "A-2 6.2.11.7.2", f"font {name}, code {code:04x} has no Unicode value"
        descendant = font.DescendantFonts[0]
        descriptor = descendant.FontDescriptor
        if "/FontFile2" not in descriptor and "/FontFile3" not in descriptor:
            yield "A-2 6.2.11.4.1", f"font {name} is not embedded"
            continue
        if descendant.Subtype == "/CIDFontType2" and "/CIDToGIDMap" not in descendant:
            yield "A-2 6.2.11.3.2", f"font {name} has no CIDToGIDMap"
        if not re.match(r"/[A-Z]{6}\+", str(font.BaseFont)) or font.BaseFont != descriptor.FontName:
            yield "A-2 6.2.11.2", f"font {name}: the name of a subset must carry six letters, the same everywhere"
        yield from _glyphs(name, descendant, codes)


def _glyphs(name: str, font: pikepdf.Object, codes: set[int]) -> Iterator[Violation]:
    declared = _declared_widths(font.W)
    actual = _actual_widths(font.FontDescriptor)
    mapping = font.get("/CIDToGIDMap")
    table = mapping.read_bytes() if isinstance(mapping, pikepdf.Stream) else None
    for code in sorted(codes):
        glyph = int.from_bytes(table[2 * code : 2 * code + 2], "big") if table else code
        if glyph == 0:
            yield "A-2 6.2.11.8", f"font {name}, code {code:04x} draws .notdef"
        if glyph >= len(actual):
            yield "A-2 6.2.11.4.1", f"font {name} lacks glyph {glyph}"
        elif abs(declared.get(code, 1000) - actual[glyph]) > 1:
            yield (
                "A-2 6.2.11.5",
                f"font {name}, code {code:04x}: width {declared.get(code)} but {actual[glyph]} in the font",
            )


def _metadata(pdf: pikepdf.Pdf) -> Iterator[Violation]:
    if "/Metadata" not in pdf.Root:
        yield "A-2 6.6.2.1", "there is no XMP metadata"
        return
    xmp = ElementTree.fromstring(pdf.Root.Metadata.read_bytes())  # noqa: S314 our own bytes
    values = {
        path: xmp.findtext(f".//{path}", "", _NAMESPACES)
        for path in ("pdfaid:part", "pdfaid:conformance", "pdfuaid:part")
    }
    if (values["pdfaid:part"], values["pdfaid:conformance"]) != ("2", "U"):
        yield "A-2 6.6.4", f"the file claims PDF/A-{values['pdfaid:part']}{values['pdfaid:conformance']}"
    if values["pdfuaid:part"] != "1":
        yield "UA-1 5", "the file does not claim PDF/UA-1"
    if "http://www.aiim.org/pdfua/ns/id/" not in [
        e.text for e in xmp.findall(".//pdfaSchema:namespaceURI", _NAMESPACES)
    ]:
        yield "A-2 6.6.2.3.3", "the schema of pdfuaid is not described"
    if not xmp.findtext(".//dc:title/rdf:Alt/rdf:li", "", _NAMESPACES).strip():
        yield "UA-1 7.1", "dc:title is empty"
    if not pdf.Root.get("/ViewerPreferences", pikepdf.Dictionary()).get("/DisplayDocTitle", False):
        yield "UA-1 7.1", "DisplayDocTitle is not set"


def _tags(pdf: pikepdf.Pdf, page: pikepdf.Page, content: list[Instruction]) -> Iterator[Violation]:
    if not pdf.Root.get("/MarkInfo", pikepdf.Dictionary()).get("/Marked", False):
        yield "UA-1 6.2", "the file is not marked as tagged"
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", str(pdf.Root.get("/Lang", ""))):
        yield "UA-1 7.2", "the document's language is missing or no BCP 47 tag"
    if page.get("/Tabs") != "/S":
        yield "UA-1 7.18.3", "the tab order is not that of the structure"
    marked: set[int] = set()
    yield from _marked_content(content, marked)
    owned: list[int] = []
    headings: list[str] = []
    yield from _elements(pdf.Root.StructTreeRoot.K[0], owned, headings)
    if sorted(owned) != sorted(marked):
        yield "UA-1 7.1", f"marked content {sorted(marked)} is not what the structure holds: {sorted(owned)}"
    if headings and headings[0] != "/H1":
        yield "UA-1 7.4.2", f"the first heading is {headings[0]}"
    parents = pdf.Root.StructTreeRoot.ParentTree.Nums
    if parents[0] != page.get("/StructParents") or len(parents[1]) != len(marked):
        yield "UA-1 7.1", "the parent tree does not cover the page's content"
    else:
        for content_id, parent in enumerate(parents[1]):
            if content_id not in [int(kid) for kid in parent.K]:
                yield "UA-1 7.1", f"the parent tree gives content {content_id} to another element"


def _elements(element: pikepdf.Object, owned: list[int], headings: list[str]) -> Iterator[Violation]:
    role = str(element.S)
    if role not in _STANDARD_ROLES:
        yield "UA-1 7.1", f"{role} is no standard structure type"
    if role == "/Figure" and not str(element.get("/Alt", "")).strip():
        yield "UA-1 7.3", "a figure has no alternative text"
    if role.startswith("/H"):
        headings.append(role)
    for kid in element.K:
        if isinstance(kid, pikepdf.Dictionary):
            yield from _elements(kid, owned, headings)
        else:
            owned.append(int(kid))


def _marked_content(content: list[Instruction], marked: set[int]) -> Iterator[Violation]:
    """Check that everything is painted inside tagged content or artifacts, which must not be nested."""
    stack: list[str] = []
    for instruction in content:
        operator = str(instruction.operator)
        if operator == "BDC":
            properties = instruction.operands[1]
            kind = "tagged" if "/MCID" in properties else "span"
            if kind == "tagged":
                marked.add(int(properties["/MCID"]))
            if kind == "tagged" and "artifact" in stack:
                yield "UA-1 7.1", "tagged content lies inside an artifact"
            stack.append(kind)
        elif operator == "BMC":
            if "tagged" in stack:
                yield "UA-1 7.1", "an artifact lies inside tagged content"
            stack.append("artifact")
        elif operator == "EMC":
            stack.pop()
        elif operator in _PAINTING and not {"tagged", "artifact"} & set(stack):
            yield "UA-1 7.1", f"{operator} paints outside tagged content and artifacts"
    if stack:
        yield "UA-1 7.1", "marked content is not closed"


def _forbidden(pdf: pikepdf.Pdf) -> Iterator[Violation]:
    for item in pdf.objects:
        if isinstance(item, pikepdf.Dictionary | pikepdf.Stream):
            for key in _FORBIDDEN_ANYWHERE & set(item.keys()):
                yield "A-2 6.3 to 6.9", f"the file has {key}"


def _streams(pdf: pikepdf.Pdf) -> list[pikepdf.Stream]:
    return [item for item in pdf.objects if isinstance(item, pikepdf.Stream)]


def _used_codes(content: list[Instruction]) -> dict[str, set[int]]:
    used: dict[str, set[int]] = {}
    font = ""
    for instruction in content:
        operator = str(instruction.operator)
        if operator == "Tf":
            font = str(instruction.operands[0])
        elif operator in ("Tj", "TJ"):
            operand = instruction.operands[0]
            for part in [operand] if operator == "Tj" else operand:
                if isinstance(part, pikepdf.String):
                    data = bytes(part)
                    used.setdefault(font, set()).update(
                        int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)
                    )
    return used


def _to_unicode(cmap: bytes) -> dict[int, str]:
    texts: dict[int, str] = {}
    for first, last, text in re.findall(rb"<([0-9a-f]{4})><([0-9a-f]{4})><([0-9a-f]*)>", cmap):
        start = bytes.fromhex(text.decode()).decode("utf-16-be")
        for code in range(int(first, 16), int(last, 16) + 1):
            step = code - int(first, 16)
            texts[code] = start[:-1] + chr(ord(start[-1]) + step)
    return texts


def _declared_widths(array: pikepdf.Object) -> dict[int, int]:
    widths = {}
    for i in range(0, len(array), 2):
        for step, width in enumerate(array[i + 1]):
            widths[int(array[i]) + step] = int(width)
    return widths


def _actual_widths(descriptor: pikepdf.Object) -> list[float]:
    if "/FontFile2" in descriptor:
        font = TTFont(io.BytesIO(descriptor.FontFile2.read_bytes()))
        upem = font["head"].unitsPerEm
        return [font["hmtx"][name][0] * 1000 / upem for name in font.getGlyphOrder()]
    fonts = CFFFontSet()
    fonts.decompile(io.BytesIO(descriptor.FontFile3.read_bytes()), None)
    top = fonts[fonts.fontNames[0]]
    widths = []
    for name in top.charset:
        charstring = top.CharStrings[name]
        charstring.draw(_Pen())
        widths.append(charstring.width)
    return widths


class _Pen:
    """A pen that discards outlines: a charstring must be drawn to find its width."""

    def __getattr__(self, name: str) -> object:
        return lambda *args: None
