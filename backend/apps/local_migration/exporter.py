"""The way back: brings ticket files from Cloudinary to the local storage, for those who want to leave.

Verified as the way there is: a file counts only when its code was scanned from what is on the disk. What is on
Cloudinary stays there until the ticket is deleted.
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

from .legacy_files import Finding, LocalFile
from .plans import Action, Outcome, Plan, Result, Selection
from .retry import Pace

FOLDERS = {"qr_code": "qr_codes", "pdf_ticket": "pdf_tickets"}


def count(selection: Selection) -> int:
    """How many tickets `move` would bring."""
    found = _published(selection).count()
    return found if selection.limit is None else min(found, selection.limit)


def move(selection: Selection, workers: int = 1, pace: Pace | None = None) -> Iterator[Result]:
    """Bring both files of every published ticket home; results come as they are done.

    Ends early after a result that `stops_run`.
    """
    pace = pace or Pace()
    found = in_chunks(_published(selection), selection.limit)
    for result in in_parallel(lambda ticket: bring_home(ticket, pace), found, workers):
        yield result
        if result.stops_run:
            return


def bring_home(ticket: EventTicket, pace: Pace) -> Result:
    """Fetch, check and write both files, then let the row name them. Failures are answered, not raised."""
    planned = Plan(ticket, Action.BRING_HOME, LocalFile(Finding.NO_FILE))
    try:
        contents = pace.keep_trying(lambda: verification.verify_published(ticket))
    except gateway.MediaError as error:
        return Result(planned, Outcome.FAILED, str(error), error.is_misconfiguration)
    try:
        names = {kind.name: _write(ticket, kind, contents[kind.name]) for kind in gateway.KINDS}
    except (OSError, SuspiciousOperation) as error:
        return Result(planned, Outcome.FAILED, f"{error}. Check MEDIA_ROOT, its permissions and the space left.", True)
    if not requests.record_local_files(ticket, names):
        return Result(planned, Outcome.OVERTAKEN, "its files were made anew or deleted meanwhile")
    return Result(planned, Outcome.BROUGHT_HOME)


def _published(selection: Selection) -> QuerySet[EventTicket]:
    found = EventTicket.objects.filter(state=EventTicket.State.READY).exclude(published_at=None)
    found = found.prefetch_related("codes")
    return found if selection.event is None else found.filter(event=selection.event)


def _write(ticket: EventTicket, kind: gateway.FileKind, content: bytes) -> str:
    """Put the bytes at a place of the ticket's own, whole or not at all; answers its name."""
    name = ticket.local_files.get(kind.name, "")
    if str(ticket.ticket_id) not in name:  # a file that other tickets may share stays as it is
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
        os.chmod(temporary, path.parent.stat().st_mode & 0o666)  # as open as the folder, which a server may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return name
