"""The page “Background work”: the backlog of each kind of job, the reasons of failures, and what to do."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.core.jobs import kinds
from apps.core.telemetry.redaction import escape, redact
from apps.events.models import EventTicket
from apps.publishing.models import StoredFileDeletion
from apps.webhooks.models import WebhookMessage

from .markup import with_code
from .team_scope import has_for_all_teams

REASONS_SHOWN = 3
REASONS_READ = 200  # distinct reasons in the database; reasons that differ only in an address are shown as one
HIDDEN_ADDRESS: Final = "[address]"
_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,20}://\S+"  # a URL
    r"|[^\s@<>\"']+@[^\s@<>\"']+"  # an e-mail address
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])"  # IPv4
    r"|(?<![\w:])\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?(?::\d+)?(?!\w)"  # IPv6
    # A host name. Its last label has letters of one case, unlike the name of a Python class.
    r"|(?<![\w.-])(?:[A-Za-z0-9-]{1,63}\.)+(?:[a-z]{2,}|[A-Z]{2,})(?::\d+)?(?![\w.])"
)
_NUMBER = re.compile(r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b|\b\d{4,}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Description:
    """A kind of job, described for operators. Text in backticks is shown as code."""

    title: str
    what: str
    when_failing: str
    when_given_up: str = ""
    when_overdue: str = ""  # replaces the usual text, which names the kind's queue
    overdue_seconds: int = 300  # if jobs are overdue for longer, no worker takes them
    model: type[Model] | None = None  # its change list is linked
    given_up_query: str = ""


DESCRIPTIONS: Final = {
    "ticket": Description(
        title="Tickets",
        what="QR codes and PDFs to create and store on Cloudinary.",
        when_failing="Tickets are retried automatically. `manage.py ticket_doctor` checks whether Cloudinary accepts "
        "the credentials.",
        when_given_up="Fix the cause that the reason names. Then select the tickets in the list and choose “Re-render "
        "the files”, or run `manage.py publish_tickets --given-up` for all.",
        when_overdue="No worker takes this work. Check that beat runs, and that workers for the queues `interactive` "
        "and `bulk` run. `manage.py publish_tickets` does the work without beat and workers.",
        model=EventTicket,
        given_up_query="?state__exact=failed&next_attempt_at__isnull=1",
    ),
    "mail": Description(
        title="Mail",
        what="Messages for the mail server, including codes for signing in.",
        when_failing="Check that the mail server of `EMAIL_URL`, or the service of `MAIL_TRANSPORT`, answers. A "
        "message is retried for a day.",
    ),
    "webhook": Description(
        title="Webhooks",
        what="Messages to the endpoints of organisers.",
        when_failing="Failing endpoints are retried automatically. “Webhook endpoints” shows the health of each.",
        when_given_up="When the endpoint works, select the messages in the list and choose “Send again”, or run "
        "`manage.py replay_webhooks`.",
        overdue_seconds=600,
        model=WebhookMessage,
        given_up_query="?state__exact=failed",
    ),
    "changed_event": Description(
        title="Changed events",
        what="Events whose tickets need new files, because something printed on them has changed.",
        when_failing="The log of the workers for the queue `bulk` has the error.",
        overdue_seconds=600,
    ),
    "file_deletion": Description(
        title="Files to delete",
        what="Files of deleted and replaced tickets to remove from storage.",
        when_failing="Deletions are retried until they succeed. `manage.py ticket_doctor --fix` retries them now.",
        overdue_seconds=6 * 3600,  # tickets have priority, and Cloudinary limits the rate of calls
        model=StoredFileDeletion,
    ),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of job on the page."""

    name: str
    description: Description
    backlog: kinds.Backlog
    queue: str
    reasons: list[tuple[str, int]]
    list_url: str
    given_up_url: str

    @property
    def is_empty(self) -> bool:
        return not (self.backlog.waiting or self.backlog.retrying or self.backlog.given_up)

    @property
    def is_overdue(self) -> bool:
        return self.backlog.overdue > self.description.overdue_seconds

    @property
    def oldest(self) -> str:
        return duration(self.backlog.oldest) if self.backlog.oldest else "–"

    @property
    def overdue(self) -> str:
        return duration(self.backlog.overdue) if self.backlog.overdue else "–"

    @property
    def when_overdue(self) -> SafeString:
        usual = f"No worker takes this work. Check that beat and a worker for the queue `{self.queue}` run."
        return with_code(self.description.when_overdue or usual)

    @property
    def when_failing(self) -> SafeString:
        return with_code(self.description.when_failing)

    @property
    def when_given_up(self) -> SafeString:
        return with_code(self.description.when_given_up)


def may_see_backlog(request: HttpRequest) -> bool:
    """Return whether the user may view the tickets of all teams. The page shows reasons of failures of all teams."""
    return _may_view_all(request, EventTicket)


def _may_view_all(request: HttpRequest, model: type[Model]) -> bool:
    return any(has_for_all_teams(request, model, action) for action in ("view", "change"))


def backlog_page(request: HttpRequest) -> HttpResponse:
    """Show the page. The number of queries is constant. Raises PermissionDenied unless `may_see_backlog`."""
    if not may_see_backlog(request):
        raise PermissionDenied
    now = timezone.now()
    known = {kind.name: kind for kind in kinds.registered()}
    order = [*(name for name in DESCRIPTIONS if name in known), *(name for name in known if name not in DESCRIPTIONS)]
    entries = [_entry(request, known[name], now) for name in order]
    queues = kinds.queue_lengths()
    context = {
        **admin.site.each_context(request),
        "title": "Background work",
        "entries": entries,
        "queues": queues,
        "broker_answers": None not in queues.values(),
        "overdue": [entry for entry in entries if entry.is_overdue],
        "given_up": sum(entry.backlog.given_up for entry in entries),
        "retrying": sum(entry.backlog.retrying for entry in entries),
        "pending": sum(entry.backlog.waiting + entry.backlog.retrying for entry in entries),
        "leased": sum(entry.backlog.leased for entry in entries),
    }
    return TemplateResponse(request, "backoffice/backlog.html", context)


def _entry(request: HttpRequest, kind: kinds.Kind[Any], now: datetime) -> Entry:
    description = DESCRIPTIONS.get(kind.name) or Description(kind.name, "", "The log of the workers has the error.")
    list_url = ""
    if description.model and _may_view_all(request, description.model):
        options = description.model._meta
        list_url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return Entry(
        name=kind.name,
        description=description,
        backlog=kind.backlog(now),
        queue=kind.queue,
        reasons=frequent_reasons(kind),
        list_url=list_url,
        given_up_url=list_url and description.given_up_query and list_url + description.given_up_query,
    )


def frequent_reasons(kind: kinds.Kind[Any]) -> list[tuple[str, int]]:
    """Return the most frequent reasons of failed and given-up jobs, as (reason, number of jobs)."""
    found: Counter[str] = Counter()
    for jobs in (kind.jobs.pending().filter(kind.counted), kind.jobs.given_up()):
        counted = jobs.exclude(reason="").order_by().values("reason").annotate(number=Count("pk"))
        for reason, number in counted.order_by("-number", "reason").values_list("reason", "number")[:REASONS_READ]:
            found[presentable_reason(reason)] += number
    return found.most_common(REASONS_SHOWN)


def presentable_reason(reason: str) -> str:
    """Return the reason without secrets, addresses and long numbers, so that failures with one cause have one text."""
    text = _ADDRESS.sub(HIDDEN_ADDRESS, escape(redact(reason)))
    return Truncator(" ".join(_NUMBER.sub("…", text).split())).chars(160)


def duration(seconds: float) -> str:
    """Return the duration in words, in a single unit."""
    for unit, size, longest in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < longest * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86400)} days"
