"""The site of the back office: unfold's, without what Django shows past the permissions of an object."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.http import HttpRequest, HttpResponseBase
from unfold.sites import UnfoldAdminSite


class BackOfficeSite(UnfoldAdminSite):  # type: ignore[misc] # unfold has no types
    """Unfold's site, where signing in is signing in as everywhere, with the same limits on guessing."""

    def get_urls(self) -> list[Any]:
        """Leave out "view on site", which tells any member of staff the address of any object.

        `TeamScopedAdmin` links to an object's page directly.
        """
        return [entry for entry in super().get_urls() if getattr(entry, "name", "") != "view_on_site"]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        response: HttpResponseBase = secure_admin_login(super().login)(request, extra_context)
        return response
