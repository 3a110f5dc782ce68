"""The admin site of the back office: unfold's, with the site's sign-in, a content security policy and more pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import path, re_path, reverse
from unfold.sites import UnfoldAdminSite

from .backlog import backlog_page, may_see_backlog

# Models that were part of the app `events` in earlier versions, with their app today. Their old URLs redirect.
MOVED = {"storedfiledeletion": "publishing", "examination": "storage_checks"}


def _with_policy(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Relax the site's content security policy as far as unfold's pages need it.

    Scripts still come from files of this site only. 'unsafe-eval' is for Alpine, which compiles expressions in
    attributes, and 'unsafe-inline' is for unfold's style element and style attributes. Pictures may come from
    Cloudinary: a ticket's form shows the first page of its PDF.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        relaxed = csp_update(
            {
                "script-src": [SELF, UNSAFE_EVAL],
                "style-src": [SELF, UNSAFE_INLINE],
                "img-src": [settings.CLOUDINARY_ACCOUNT.delivery_origin],
            }
        )
        response: HttpResponseBase = relaxed(view)(request, *args, **kwargs)
        return response

    return guarded


def _redirect_to_moved_page(request: HttpRequest, app: str, model: str, rest: str) -> HttpResponseRedirect:
    """Redirect to the URL under the model's app. A POST is repeated there, for forms opened before an upgrade."""
    query = request.META.get("QUERY_STRING")
    url = f"{reverse('admin:index')}{app}/{model}/{rest}" + (f"?{query}" if query else "")
    return HttpResponseRedirect(url, preserve_request=request.method == "POST")


class BackOfficeSite(UnfoldAdminSite):  # type: ignore[misc] # unfold has no types
    """Unfold's admin site. Signing in uses the site's own sign-in page, with its rate limits."""

    def get_urls(self) -> list[Any]:
        """Return the URLs without "view on site", which reveals the URL of any object to any member of staff.

        `TeamScopedAdmin` links to the page of an object directly.
        """
        moved = [
            re_path(
                rf"^events/{model}/(?P<rest>.*)$",
                _redirect_to_moved_page,
                {"app": app, "model": model},
            )
            for model, app in MOVED.items()
        ]
        backlog = path("backlog/", self.admin_view(backlog_page), name="backlog")
        others = [entry for entry in super().get_urls() if getattr(entry, "name", "") != "view_on_site"]
        return [backlog, *moved, *others]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """List the models of `MOVED` in the section of events, and the page of background work.

        That page links to the files to delete, so it replaces their entry.
        """
        only_events = app_label == "events"
        sections = super().get_app_list(request, None if only_events else app_label)
        events = next((section for section in sections if section["app_label"] == "events"), None)
        if events is None:
            return [] if only_events else list(sections)
        files = [section for section in sections if section["app_label"] in MOVED.values()]
        models = [model for section in (events, *files) for model in section["models"]]
        if may_see_backlog(request):
            models = [model for model in models if model["object_name"] != "StoredFileDeletion"]
            page = {"name": "Background work", "object_name": "Backlog", "admin_url": reverse("admin:backlog")}
            models.append({**page, "perms": {"view": True}, "view_only": True})
        events["models"] = sorted(models, key=lambda model: model["name"])
        return [events] if only_events else [section for section in sections if section not in files]

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        return _with_policy(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        response: HttpResponseBase = secure_admin_login(super().login)(request, extra_context)
        return response
