"""The errors and values of PDF requests."""

import dataclasses


class PdfError(ValueError):
    """The file is not a readable PDF, or reading it took too much time or memory."""


class PageMissingError(PdfError):
    """The document does not have the requested page."""

    def __init__(self, pages: int) -> None:
        super().__init__(f"the document has {pages} page(s)")
        self.pages = pages


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """The number of pages of a PDF, and the size of the first page in points."""

    pages: int
    width: float
    height: float
