"""The page “Storage check”: results of the last check, a button to start one, and the usage of the account over time.

The page makes no calls to storage. Workers do, and store the results in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from apps.accounts.models import User
from apps.storage_checks import runs, usage
from apps.storage_checks.models import Examination, UsageSample
from apps.storage_checks.problems import MANUAL, MEANING, NOTICES, REMEDY, Problem

from .markup import with_code
from .plot import Plot, draw, quantity
from .team_scope import has_for_all_teams

PERIOD_DAYS = {"30": 30, "90": 90, "365": 365}
CHECKS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Group:
    """The results of a check for one kind of problem."""

    name: str
    count: int
    examples: list[str]
    meaning: str
    remedy: SafeString
    kind: str  # "notice", or who has to fix it: "person" or "program"
    more: int


@admin.register(Examination)
class ExaminationAdmin(ModelAdmin):  # type: ignore[misc] # unfold has no types
    """A single page instead of a change list.

    Viewing it needs the permission to view storage checks, and starting a check the permission to add them. Managers of
    a team get neither, because a check shows the files of all teams.
    """

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(require_POST(self.start))
        return [path("start/", start, name="storage_checks_examination_start"), *super().get_urls()[:1]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # only `start` adds checks

    def has_change_permission(self, request: HttpRequest, obj: Examination | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Examination | None = None) -> bool:
        return False

    def start(self, request: HttpRequest) -> HttpResponse:
        if not has_for_all_teams(request, Examination, "add"):
            raise PermissionDenied
        try:
            runs.request(cast(User, request.user))
        except runs.AlreadyRunningError as error:
            messages.warning(request, str(error))
        return HttpResponseRedirect(reverse("admin:storage_checks_examination_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        history = list(Examination.objects.select_related("asked_by")[:CHECKS_SHOWN])
        under_way = next((check for check in history if check.is_open), None)
        shown = _requested(request) or next((check for check in history if not check.is_open), None)
        days = PERIOD_DAYS.get(request.GET.get("days", ""), PERIOD_DAYS["30"])
        samples = usage.since(days)
        groups = [_group(found) for found in shown.findings] if shown else []
        context = {
            **self.admin_site.each_context(request),
            "title": "Storage check",
            "opts": self.model._meta,
            "under_way": under_way,
            "may_start": has_for_all_teams(request, Examination, "add") and (not under_way or under_way.is_abandoned),
            "shown": shown,
            "groups": groups,
            "wrong": sum(group.count for group in groups if group.kind != "notice"),
            "repairable": any(group.kind == "program" for group in groups),
            "history": history,
            "plots": [plot for measure in usage.MEASURES if (plot := _plot(measure, samples))],
            "unreported": [measure.title for measure in usage.MEASURES if samples and not _points(measure, samples)],
            "measures": usage.MEASURES,
            "rows": [
                (sample.taken_at, [_cell(sample, measure) for measure in usage.MEASURES]) for sample in samples[::-1]
            ],
            "days": days,
            "periods": PERIOD_DAYS.values(),
        }
        return TemplateResponse(request, "backoffice/storage_check.html", context)


def _requested(request: HttpRequest) -> Examination | None:
    """Return the earlier check that the query string names, if any. Raises Http404 if it does not exist."""
    pk = request.GET.get("check", "")
    return get_object_or_404(Examination, pk=int(pk)) if pk.isascii() and pk.isdecimal() and len(pk) < 18 else None


def _group(found: dict[str, Any]) -> Group:
    problem = Problem(found["problem"])
    return Group(
        name=problem.value,
        count=found["count"],
        examples=found["examples"],
        meaning=MEANING[problem],
        remedy=with_code(REMEDY[problem]),
        kind="notice" if problem in NOTICES else "person" if problem in MANUAL else "program",
        more=found["count"] - len(found["examples"]),
    )


def _points(measure: usage.Measure, samples: list[UsageSample]) -> list[tuple[Any, float]]:
    return [
        (sample.taken_at, float(value)) for sample in samples if (value := getattr(sample, measure.name)) is not None
    ]


def _plot(measure: usage.Measure, samples: list[UsageSample]) -> Plot | None:
    limit = samples[-1].credits_limit if samples and measure.name == "credits" else None
    return draw(measure.name, measure.title, measure.note, _points(measure, samples), measure.unit, limit)


def _cell(sample: UsageSample, measure: usage.Measure) -> str:
    value = getattr(sample, measure.name)
    return "–" if value is None else quantity(value, measure.unit)
