"""Event tickets without a framework: signed codes, QR codes, PDF pages, and passes for Apple and Google Wallet.

The names in ``__all__`` and ``ticketkit.testing`` are the public API; other names may change without notice. Modules
are imported lazily, so a program that only signs codes loads no fonts.

    event = EventDetails(title="Concert", starts_at=datetime(2027, 1, 15, 19, tzinfo=UTC))
    code = KeyRing(SigningKey(key_id=1, seed=secrets.token_bytes(32))).sign(event_id=1, ticket_id=uuid4(), generation=0)
    ticket = EventTemplate(event).render(TicketDetails(ticket_id="A-1", code=code, holder="Ada Lovelace"))
    ticket.qr_png, ticket.pdf
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ticketkit.codes.tokens import MAX_QR_CHARACTERS as MAX_QR_CHARACTERS
    from ticketkit.codes.tokens import Code as Code
    from ticketkit.codes.tokens import InvalidCodeError as InvalidCodeError
    from ticketkit.codes.tokens import KeyRing as KeyRing
    from ticketkit.codes.tokens import SigningKey as SigningKey
    from ticketkit.codes.tokens import derive_key as derive_key
    from ticketkit.codes.tokens import is_signed_form as is_signed_form
    from ticketkit.codes.tokens import key_from_base64 as key_from_base64
    from ticketkit.codes.tokens import parse_legacy as parse_legacy
    from ticketkit.picture_input import PictureError as PictureError
    from ticketkit.picture_input import on_white as on_white
    from ticketkit.picture_input import open_picture as open_picture
    from ticketkit.rendering import RENDERER_VERSION as RENDERER_VERSION
    from ticketkit.rendering.content import clean_text as clean_text
    from ticketkit.rendering.content import is_printed_as_written as is_printed_as_written
    from ticketkit.rendering.content import printed_as as printed_as
    from ticketkit.rendering.dates import format_date_and_time as format_date_and_time
    from ticketkit.rendering.dates import format_time_of_day as format_time_of_day
    from ticketkit.rendering.dates import gmt_offset as gmt_offset
    from ticketkit.rendering.dates import local_iso as local_iso
    from ticketkit.rendering.dates import local_time as local_time
    from ticketkit.rendering.details import EventDetails as EventDetails
    from ticketkit.rendering.details import RenderedTicket as RenderedTicket
    from ticketkit.rendering.details import TicketDetails as TicketDetails
    from ticketkit.rendering.errors import FontError as FontError
    from ticketkit.rendering.errors import RenderingError as RenderingError
    from ticketkit.rendering.labels import is_language as is_language
    from ticketkit.rendering.labels import is_right_to_left as is_right_to_left
    from ticketkit.rendering.labels import labels_for as labels_for
    from ticketkit.rendering.labels import languages as languages
    from ticketkit.rendering.layout.loading import built_in_layouts as built_in_layouts
    from ticketkit.rendering.layout.loading import layout_schema as layout_schema
    from ticketkit.rendering.layout.loading import load_layout as load_layout
    from ticketkit.rendering.layout.placing import AlteredText as AlteredText
    from ticketkit.rendering.prices import format_price as format_price
    from ticketkit.rendering.qr import qr_matrix as qr_matrix
    from ticketkit.rendering.qr.drawing import render_qr_png as render_qr_png
    from ticketkit.rendering.raster import first_page_png as first_page_png
    from ticketkit.rendering.selfcheck import check_ticket as check_ticket
    from ticketkit.rendering.selfcheck import read_codes as read_codes
    from ticketkit.rendering.template import EventTemplate as EventTemplate
    from ticketkit.rendering.text.coverage import uncovered_scripts as uncovered_scripts
    from ticketkit.rendering.text.fonts import use_fonts as use_fonts
    from ticketkit.wallet import AppleCredentials as AppleCredentials
    from ticketkit.wallet import ApplePassTemplate as ApplePassTemplate
    from ticketkit.wallet import GoogleCredentials as GoogleCredentials
    from ticketkit.wallet import GooglePassTemplate as GooglePassTemplate
    from ticketkit.wallet import WalletCredentialsError as WalletCredentialsError

_NAMES = {
    "ticketkit.codes.tokens": (
        "MAX_QR_CHARACTERS",
        "Code",
        "InvalidCodeError",
        "KeyRing",
        "SigningKey",
        "derive_key",
        "is_signed_form",
        "key_from_base64",
        "parse_legacy",
    ),
    "ticketkit.picture_input": (
        "PictureError",
        "on_white",
        "open_picture",
    ),
    "ticketkit.rendering": ("RENDERER_VERSION",),
    "ticketkit.rendering.content": (
        "clean_text",
        "is_printed_as_written",
        "printed_as",
    ),
    "ticketkit.rendering.dates": (
        "format_date_and_time",
        "format_time_of_day",
        "gmt_offset",
        "local_iso",
        "local_time",
    ),
    "ticketkit.rendering.details": (
        "EventDetails",
        "RenderedTicket",
        "TicketDetails",
    ),
    "ticketkit.rendering.labels": (
        "is_language",
        "is_right_to_left",
        "labels_for",
        "languages",
    ),
    "ticketkit.rendering.layout.loading": (
        "built_in_layouts",
        "layout_schema",
        "load_layout",
    ),
    "ticketkit.rendering.layout.placing": ("AlteredText",),
    "ticketkit.rendering.prices": ("format_price",),
    "ticketkit.rendering.qr": ("qr_matrix",),
    "ticketkit.rendering.qr.drawing": ("render_qr_png",),
    "ticketkit.rendering.raster": ("first_page_png",),
    "ticketkit.rendering.selfcheck": (
        "check_ticket",
        "read_codes",
    ),
    "ticketkit.rendering.errors": (
        "FontError",
        "RenderingError",
    ),
    "ticketkit.rendering.template": ("EventTemplate",),
    "ticketkit.rendering.text.coverage": ("uncovered_scripts",),
    "ticketkit.rendering.text.fonts": ("use_fonts",),
    "ticketkit.wallet": (
        "AppleCredentials",
        "ApplePassTemplate",
        "GoogleCredentials",
        "GooglePassTemplate",
        "WalletCredentialsError",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_MODULES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    """Import the module of a public name when the name is first used (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
