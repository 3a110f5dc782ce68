"""Build the structure tree of a tagged page (ISO 32000-1, 14.7): headings, paragraphs and figures in reading order."""

from dataclasses import dataclass, field

from ticketkit.rendering.pdf.objects import PdfPrefixWriter, numbers, reference, text_string


@dataclass(slots=True)
class TaggedElement:
    """A structure element with its marked content. ``box`` is left, bottom, right, top of a figure."""

    role: str
    content_ids: list[int] = field(default_factory=list)
    alternative: str = ""
    box: tuple[float, float, float, float] | None = None


class PageStructure:
    """Assigns marked-content ids and writes the structure tree."""

    def __init__(self) -> None:
        self.elements: list[TaggedElement] = []
        self._count = 0

    def element(
        self, role: str, alternative: str = "", box: tuple[float, float, float, float] | None = None
    ) -> TaggedElement:
        """Return a new element, the next in reading order."""
        self.elements.append(TaggedElement(role, [], alternative, box))
        return self.elements[-1]

    def mark(self, element: TaggedElement) -> bytes:
        """Return the operator that begins marked content of the element; end it with ``EMC``."""
        element.content_ids.append(self._count)
        self._count += 1
        return b"/%s<</MCID %d>>BDC" % (element.role.encode("ascii"), self._count - 1)

    def write(self, writer: PdfPrefixWriter, page: int) -> int:
        """Write the tree for the page object numbered ``page``, and return the root's number."""
        root, document = writer.reserve(), writer.reserve()
        owners: dict[int, int] = {}
        kids: list[int] = []
        for element in self.elements:
            if not element.content_ids:
                continue
            extra = b""
            if element.alternative:
                extra += b"/Alt" + text_string(element.alternative)
            if element.box:
                extra += b"/A<</O/Layout/Placement/Block/BBox[%s]>>" % numbers(*element.box)
            body = b"<</S/%s/P %s/Pg %s/K[%s]%s>>" % (
                element.role.encode("ascii"),
                reference(document),
                reference(page),
                b" ".join(b"%d" % content_id for content_id in element.content_ids),
                extra,
            )
            kids.append(writer.add(b"<</Type/StructElem" + body[2:]))
            owners.update(dict.fromkeys(element.content_ids, kids[-1]))
        parents = b" ".join(reference(owners[i]) for i in range(self._count))
        listed = b" ".join(map(reference, kids))
        writer.add(b"<</Type/StructElem/S/Document/P %s/K[%s]>>" % (reference(root), listed), document)
        tree = b"<</Type/StructTreeRoot/K[%s]/ParentTree<</Nums[0[%s]]>>/ParentTreeNextKey 1>>"
        return writer.add(tree % (reference(document), parents), root)
