"""What server and worker say to each other: a JSON header, then bytes. No pickles: the worker isn't trusted."""

import dataclasses


class PdfError(ValueError):
    """The file is no PDF that can be read, or reading it took too much."""


class PageMissingError(PdfError):
    """A page was asked for that the document doesn't have."""

    def __init__(self, pages: int) -> None:
        super().__init__(f"the document has {pages} page(s)")
        self.pages = pages


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    pages: int
    width: float
    height: float
