"""Change lists that accept any query string: one that cannot be run redirects to the unfiltered list."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse

# A year that no date has, a number of more than 64 bits, the character NUL: each is an error of its own somewhere, in
# Django's dates, in the driver or in the database.
IMPOSSIBLE = (OverflowError, ValueError, DataError)


class CarefulListMixin:
    """Add this before ModelAdmin in the bases of an admin class."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the change list. Raises IncorrectLookupParameters also where Django fails with another error."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except IMPOSSIBLE as error:
            if not request.GET:
                raise
            raise IncorrectLookupParameters(str(error)) from error

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        key = self.model._meta.pk  # type: ignore[attr-defined]
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                key.run_validators(key.to_python(chosen))
            except (ValidationError, *IMPOSSIBLE) as error:
                raise BadRequest("The primary key of a selected row is not valid.") from error
        answer: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        return answer
