"""Change lists that accept any query string. If a query can't be run, they redirect to the unfiltered list."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse

# Raised by Django's dates, the driver or the database for a year out of range, more than 64 bits, or a NUL character.
INVALID_VALUE_ERRORS = (OverflowError, ValueError, DataError)


class CarefulListMixin:
    """A mixin for admin classes. Put it before ModelAdmin in the bases."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the change list. Raises IncorrectLookupParameters for queries for which Django raises other errors."""
        try:
            return super().get_changelist_instance(request)  # type: ignore[misc]
        except INVALID_VALUE_ERRORS as error:
            if not request.GET:
                raise
            raise IncorrectLookupParameters(str(error)) from error

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        key = self.model._meta.pk  # type: ignore[attr-defined]
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                key.run_validators(key.to_python(chosen))
            except (ValidationError, *INVALID_VALUE_ERRORS) as error:
                raise BadRequest("The primary key of a selected row is not valid.") from error
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        return response
