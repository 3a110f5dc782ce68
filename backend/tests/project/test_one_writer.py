"""Test that each column that is not edited by people is written by one module only.

The test analyses the source: a column counts as written if its name occurs in a call that writes, in a mapping passed
to such a call, or in an assignment to an attribute of an object that is saved.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import models

from apps.events.models import Event, EventTicket
from apps.webhooks.models import WebhookEndpoint

MODELS: tuple[type[models.Model], ...] = (EventTicket, Event, WebhookEndpoint)
WRITERS = {
    "events.ticket_columns": """used_at code_generation qr_code pdf_ticket public_id_suffix
        qr_code_cloudinary_id qr_code_version qr_code_etag qr_code_local
        pdf_ticket_cloudinary_id pdf_ticket_version pdf_ticket_etag pdf_ticket_local
        published_generation published_at published_fingerprint published_suffix""",
    "core.jobs.kinds": "revision attempts next_attempt_at reason lease lease_until",
    "publishing.outcomes": "state requested_at in_bulk",
    "publishing.invalidation": "fingerprint republish_after",
    "webhooks.models": "secret previous_secret previous_secret_until",
    "webhooks.jobs": "last_attempt_at last_success_at last_failure_at last_failure failures held_until",
}
# Exceptions, and writes to columns of the same name of other models.
ALSO = {
    "publishing.outcomes": "attempts",  # reset once the files are stored
    "publishing.requests": "state",  # of tickets with files on local storage
    "webhooks.jobs": "state reason last_attempt_at next_attempt_at lease lease_until",  # of messages
    "webhooks.maintenance": "state failures held_until",  # of messages; of an endpoint that a person resets
    "storage_checks.runs": "state lease lease_until",  # of storage checks
    "accounts.mailed_codes": "attempts",  # at guessing a code
    "wallets.passes": "state",  # of Google's objects
}
WRITES = {
    "update", "aupdate", "bulk_update", "abulk_update", "update_or_create", "aupdate_or_create", "update_rows",
    "request", "request_files", "extend_lease", "Success", "Failure", "setattr",
}  # fmt: skip
# Mappings that another module writes, and functions that return such mappings.
MAPPINGS = {"done", "retried", "given_up", "claimed", "RELEASED", "DONE", "NOTHING_PUBLISHED"}
VALUES = {"published", "stored_locally"}
COLUMNS = frozenset(
    field.attname
    for model in MODELS
    for field in model._meta.concrete_fields
    if not field.primary_key and field.attname not in (*model.EDITED, *model.FIXED)  # type: ignore[attr-defined]
) | {"qr_code", "pdf_ticket"}


def written_in(source: str) -> set[str]:
    """Return the machine-written columns that a module's source writes."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return set(_in_calls(tree)) | set(_in_mappings(tree, functions)) | set(_in_saves(functions))


def _in_calls(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or _name(call.func) not in WRITES:
            if isinstance(call, ast.Call):
                yield from (
                    name for each in call.keywords if each.arg == "update_fields" for name in _texts(each.value)
                )
            continue
        yield from (each.arg for each in call.keywords if each.arg in COLUMNS)
        yield from (name for each in (*call.args, *(k.value for k in call.keywords)) for name in _texts(each))


def _in_mappings(tree: ast.AST, functions: Iterable[ast.FunctionDef]) -> Iterator[str]:
    """Yield columns in mappings that are passed to writing calls, directly or by a function."""
    given = {
        _name(keyword.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _name(call.func) in WRITES
        for keyword in call.keywords
        if keyword.arg is None
    } | MAPPINGS
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and {_name(each) for each in targets} & given:
            yield from _texts(node.value)
        for each in targets:
            if isinstance(each, ast.Subscript) and _name(each.value) in given:
                yield from _texts(each.slice)
    for function in functions:
        if function.name in given | VALUES:
            yield from _texts(function)


def _in_saves(functions: Iterable[ast.FunctionDef]) -> Iterator[str]:
    for function in functions:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        saved = {ast.unparse(call.func.value) for call in calls if isinstance(call.func, ast.Attribute)
                 and call.func.attr in ("save", "asave")}  # fmt: skip
        for node in ast.walk(function):
            is_assigned = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if is_assigned and node.attr in COLUMNS and ast.unparse(node.value) in saved:
                yield node.attr


def _texts(node: ast.AST | None) -> Iterator[str]:
    """Yield columns that strings within the node name, also f-strings whose beginning is known at run time only."""
    for part in ast.walk(node) if node else ():
        if isinstance(part, ast.JoinedStr):
            ends = [value.value for value in part.values if isinstance(value, ast.Constant)]
            yield from (name for name in COLUMNS if ends and name.endswith(str(ends[-1])))
        elif isinstance(part, ast.Constant) and part.value in COLUMNS:
            yield str(part.value)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return getattr(node, "attr", getattr(node, "id", ""))


def test_table_contains_every_column_once() -> None:
    assert sorted(" ".join(WRITERS.values()).split()) == sorted(COLUMNS)


def test_each_column_is_written_by_its_own_module_only() -> None:
    apps = Path(settings.BASE_DIR) / "apps"
    written = {
        ".".join(path.relative_to(apps).with_suffix("").parts): written_in(path.read_text())
        for path in apps.rglob("*.py")
        if "migrations" not in path.parts
    }
    own = {module: f"{WRITERS.get(module, '')} {ALSO.get(module, '')}".split() for module in written}
    assert {
        module: columns - set(own[module]) for module, columns in written.items() if columns - set(own[module])
    } == {}
    for module, columns in WRITERS.items():
        assert written[module] >= set(columns.split()), f"{module} does not write all that the table says"


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("EventTicket.objects.filter(pk=1).update(used_at=now)", "used_at"),
        ("rows.update(**{f'{kind}_etag': ''})", "pdf_ticket_etag"),
        ("def wanted():\n    return {'revision': 1}\nrows.update(**wanted())", "revision"),
        ("values = {}\nvalues |= {'attempts': 0}\nrows.update(**values)", "attempts"),
        ("values = {}\nvalues['failures'] = 0\nrows.update(**values)", "failures"),
        ("Event.objects.bulk_update(events, ['title', 'fingerprint'])", "fingerprint"),
        ("Event.objects.bulk_create(events, update_conflicts=True, update_fields=['fingerprint'])", "fingerprint"),
        ("Event.objects.update_or_create(pk=1, defaults={'fingerprint': ''})", "fingerprint"),
        ("update_rows(EventTicket, {1: {'published_suffix': ''}}, {})", "published_suffix"),
        ("def f(row):\n    row.save(update_fields=['failures'])", "failures"),
        ("def f(row):\n    row.secret = ''\n    row.save()", "secret"),
        ("setattr(row, 'fingerprint', '')", "fingerprint"),
        ("class Kind:\n    done = {'state': 'ready'}", "state"),
        ("TICKETS.request(rows, now, in_bulk=True)", "in_bulk"),
    ],
)
def test_each_way_to_write_a_column_is_found(source: str, column: str) -> None:
    """The positive control."""
    assert column in written_in(source)


def test_columns_that_are_read_or_edited_by_people_are_not_found() -> None:
    source = (
        "def f(row):\n    row.title = row.fingerprint\n    row.save()\nrows.filter(used_at=None).update(holder_name='')"
    )
    assert not written_in(source)
