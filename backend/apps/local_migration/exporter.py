"""Export ticket files from Cloudinary to local storage, for deployments that leave Cloudinary.

Each file is verified, as on import: its code is scanned from the bytes that were fetched, and these are compared with
what is on the disk. The files on Cloudinary stay until the ticket is deleted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.core.exceptions import SuspiciousOperation
from django.db.models import QuerySet

from apps.core.db.chunks import in_chunks
from apps.core.parallel import in_parallel
from apps.events.models import EventTicket
from apps.publishing import requests, verification
from apps.storage import gateway

from .legacy_files import FileStatus, LocalFile
from .plans import Action, Outcome, Plan, Selection, TicketResult
from .retry import Retrier

FOLDERS = {"qr_code": "qr_codes", "pdf_ticket": "pdf_tickets"}


def count(selection: Selection) -> int:
    """Count the tickets that `export_all` would export."""
    found = _published(selection).count()
    return found if selection.limit is None else min(found, selection.limit)


def export_all(selection: Selection, workers: int = 1, retrier: Retrier | None = None) -> Iterator[TicketResult]:
    """Export both files of every published ticket of the selection, and yield each result as it is done.

    Stop after a result that `stops_run`.
    """
    retrier = retrier or Retrier()
    found = in_chunks(_published(selection), selection.limit)
    for result in in_parallel(lambda ticket: export(ticket, retrier), found, workers):
        yield result
        if result.stops_run:
            return


def export(ticket: EventTicket, retrier: Retrier) -> TicketResult:
    """Fetch, verify and write both files, then write their names to the row. Return failures, never raise them."""
    planned = Plan(ticket, Action.EXPORT, LocalFile(FileStatus.NO_FILE))
    try:
        contents = retrier.call(lambda: verification.verify_published(ticket))
    except gateway.MediaError as error:
        return TicketResult(planned, Outcome.FAILED, str(error), error.is_misconfiguration)
    try:
        names = {kind.name: _write(ticket, kind, contents[kind.name]) for kind in gateway.KINDS}
    except (OSError, SuspiciousOperation) as error:
        return TicketResult(
            planned, Outcome.FAILED, f"{error}. Check MEDIA_ROOT, its permissions and the space left.", True
        )
    if not requests.record_local_files(ticket, names):
        return TicketResult(planned, Outcome.OVERTAKEN, "the ticket was re-rendered or deleted meanwhile")
    return TicketResult(planned, Outcome.EXPORTED)


def _published(selection: Selection) -> QuerySet[EventTicket]:
    found = EventTicket.objects.filter(state=EventTicket.State.READY).exclude(published_at=None)
    found = found.prefetch_related("codes")
    return found if selection.event is None else found.filter(event=selection.event)


def _write(ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> str:
    """Write the bytes atomically to a file of this ticket alone, and return its name. Raises OSError."""
    name = ticket.local_files.get(kind.name, "")
    if str(ticket.ticket_id) not in name:  # other tickets may share the file, so do not overwrite it
        name = f"{FOLDERS[kind.name]}/ticket_{ticket.ticket_id}.{kind.extension}"
    path = Path(ticket.qr_code.storage.path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".arriving-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if Path(temporary).read_bytes() != content:
            raise OSError(f"{path} doesn't read back as it was written")
        os.chmod(
            temporary, path.parent.stat().st_mode & 0o666
        )  # readable as the folder is, which a web server may serve
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return name
