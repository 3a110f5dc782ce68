"""Each column that people do not edit is written by the modules that the table below names, and nowhere else.

The source is read, not run. What a write means is followed through local names, annotations and functions of the same
module; where that ends, it counts as a write to every model that it may be, of a column that can't be told.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from apps.events.models import Event, EventTicket
from apps.webhooks.models import WebhookEndpoint

# The columns, and the modules of `apps` that may write them; a question mark for columns that can't be told.
WRITERS: dict[type[models.Model], dict[str, str]] = {
    EventTicket: {
        "used_at code_generation": "events.ticket_columns",
        "public_id_suffix": "publishing.requests",
        "qr_code_local pdf_ticket_local qr_code_cloudinary_id qr_code_version qr_code_etag"
        " pdf_ticket_cloudinary_id pdf_ticket_version pdf_ticket_etag": "publishing.requests publishing.outcomes",
        "published_generation published_at": "publishing.requests publishing.outcomes",
        "published_face published_suffix": "publishing.outcomes",
        "revision": "publishing.requests publishing.outcomes publishing.invalidation",
        "state reason": "publishing.requests publishing.outcomes publishing.sweep publishing.invalidation",
        "attempts next_attempt_at": "publishing.requests publishing.outcomes publishing.claims publishing.sweep"
        " publishing.invalidation",
        "wished_at": "publishing.requests publishing.sweep publishing.invalidation",
        "in_bulk": "publishing.requests publishing.invalidation",
        "lease lease_until": "publishing.claims publishing.outcomes publishing.sweep",
        "?": "publishing.requests",  # local names of files, which `record_home` is given
    },
    Event: {"face republish_after": "publishing.invalidation"},
    WebhookEndpoint: {
        "secret previous_secret previous_secret_until": "webhooks.models",
        "last_attempt_at last_success_at last_failure_at last_failure": "webhooks.claims",
        "failures held_until": "webhooks.claims webhooks.upkeep",
    },
}

SOURCES = {
    ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts): path
    for folder in ("apps", "config")
    for path in sorted((Path(settings.BASE_DIR) / folder).rglob("*.py"))
    if "migrations" not in path.parts and path.name != "rows.py"  # writes what it is given
}
MODELS = {model.__name__: model for model in apps.get_models()}
# The models that an attribute leads to: `ticket.event`, `event.tickets`.
RELATED: dict[str, set[str]] = {}
for _model in apps.get_models():
    for _field in _model._meta.get_fields():
        if _field.is_relation and _field.related_model:
            _name = _field.get_accessor_name() if isinstance(_field, models.ForeignObjectRel) else _field.name
            RELATED.setdefault(_name or "", set()).add(_field.related_model.__name__)  # type: ignore[union-attr]

UNKNOWN, ANYTHING = "?", ".*"
ANY_MODEL = frozenset(model.__name__ for model in WRITERS)


def machine_columns(model: type[models.Model]) -> set[str]:
    columns = {field.attname for field in model._meta.concrete_fields if not field.primary_key}
    return columns.difference(model.EDITED, model.FIXED)  # type: ignore[attr-defined]


class Write(NamedTuple):
    module: str
    line: int
    model: str
    column: str


class Reader(ast.NodeVisitor):
    """Finds the writes to the machine-written columns in the source of one module."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.tree = module, ast.parse(source)
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        self.each = [node.args[0] for node in calls if _name_of(node.func) == "update_each" and node.args]
        self.scopes: list[ast.AST] = [self.tree]
        self.found: list[Write] = []
        self.visit(self.tree)

    def visit(self, node: ast.AST) -> None:
        is_scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(node, ast.Call):
            self._look_at_call(node)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            self._look_at_assignment(node)
        self.scopes += [node] * is_scope
        self.generic_visit(node)
        self.scopes = self.scopes[: len(self.scopes) - is_scope]

    # -- Ways to write ---------------------------------------------------------------------------------------------

    def _look_at_call(self, call: ast.Call) -> None:
        name, given = _name_of(call.func), {keyword.arg: keyword.value for keyword in call.keywords}
        rows = call.func.value if isinstance(call.func, ast.Attribute) else None
        if rows is not None and _name_of(rows) == "super":
            return  # what an override was given
        if name in ("update", "aupdate") and rows is not None:
            self._add(call, [rows], self._keywords(call))
        elif name in ("update_or_create", "aupdate_or_create") and rows is not None and "defaults" in given:
            self._add(call, [rows], self._keys(given["defaults"]))
        elif name in ("bulk_update", "abulk_update") and rows is not None:
            fields = given.get("fields") or (call.args[1] if len(call.args) > 1 else None)
            self._add(call, [rows], self._names(fields))
        elif name == "update_each":
            self._add(call, call.args[:1], self._keywords(call))
        elif name == "Row":
            values = given.get("values") or (call.args[2] if len(call.args) > 2 else None)
            self._add(call, self.each, self._keys(values))
        elif name == "setattr" and len(call.args) == 3 and self._is_saved(call.args[0]):
            self._add(call, call.args[:1], {_pattern(call.args[1])})
        if "update_fields" in given and rows is not None:
            self._add(call, [rows], self._names(given["update_fields"]))

    def _look_at_assignment(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute) and self._is_saved(part.value):
                    self._add(node, [part.value], {re.escape(part.attr)})

    def _is_saved(self, row: ast.expr) -> bool:
        """Whether the function at hand saves this object."""
        return any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("save", "asave")
            and ast.dump(node.func.value) == ast.dump(row).replace("Store()", "Load()")
            for node in ast.walk(self.scopes[-1])
        )

    def _add(self, node: ast.expr | ast.stmt, rows: Sequence[ast.expr], columns: set[str]) -> None:
        meant = self._models_of_any(rows)
        for model in ANY_MODEL if meant is None else ANY_MODEL & meant:
            named = re.compile("|".join(columns - {ANYTHING}) or "$")
            written = filter(named.fullmatch, machine_columns(MODELS[model]))
            for column in [*written, *[UNKNOWN] * (ANYTHING in columns)]:
                self.found.append(Write(self.module, node.lineno, model, column))

    # -- What is written -------------------------------------------------------------------------------------------

    def _keywords(self, call: ast.Call) -> set[str]:
        named = {re.escape(keyword.arg) for keyword in call.keywords if keyword.arg}
        return named.union(*(self._keys(keyword.value) for keyword in call.keywords if keyword.arg is None))

    def _keys(self, mapping: ast.expr | None, depth: int = 0) -> set[str]:
        """Return patterns of the mapping's keys."""
        match mapping:
            case ast.Dict():
                pairs = zip(mapping.keys, mapping.values, strict=True)
                return set[str]().union(
                    *(self._keys(value, depth) if key is None else {_pattern(key)} for key, value in pairs)
                )
            case ast.DictComp(
                key=ast.Name(),
                generators=[ast.comprehension(iter=ast.Call(func=ast.Attribute(value=of, attr="items")))],
            ):
                return self._keys(of, depth)
            case ast.DictComp():
                return {_pattern(mapping.key)}
            case ast.BinOp(op=ast.BitOr()):
                return self._keys(mapping.left, depth) | self._keys(mapping.right, depth)
            case ast.Call(func=ast.Name(id="dict"), args=[]):
                return self._keywords(mapping)
            case ast.Call(func=ast.Name(id=name)) if name in self.functions and depth < 5:
                return self._keys_of_any(_returns(self.functions[name]), depth + 1)
            case ast.Name() if depth < 5:
                return self._keys_of_any([value for value, _ in self._bindings(mapping.id)], depth + 1)
        return {ANYTHING}

    def _keys_of_any(self, mappings: Sequence[ast.expr | None], depth: int) -> set[str]:
        return set[str]().union(*(self._keys(each, depth) for each in mappings)) if mappings else {ANYTHING}

    def _names(self, sequence: ast.expr | None, depth: int = 0) -> set[str]:
        """Return patterns of the names in a list of fields."""
        match sequence:
            case ast.List() | ast.Tuple() | ast.Set():
                return {_pattern(element) for element in sequence.elts}
            case ast.Constant(value=None):
                return set()
            case ast.Call(func=ast.Attribute(attr="edited_columns")):
                return set()
            case ast.Name() if depth < 5 and (found := self._bindings(sequence.id)):
                return set[str]().union(*(self._names(value, depth + 1) for value, _ in found))
        return {ANYTHING}

    # -- Whose rows ------------------------------------------------------------------------------------------------

    def _models_of_any(self, rows: Iterable[ast.expr | None], depth: int = 0) -> set[str] | None:
        """Return the names of the models whose rows these expressions may be; None where it can't be told."""
        return _union([self._models(each, depth) for each in rows])

    def _models(self, rows: ast.expr | None, depth: int) -> set[str] | None:
        match rows:
            case ast.Constant():
                return set()
            case ast.Attribute() if rows.attr in RELATED:
                return RELATED[rows.attr]
            case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self._models_of_name(name, depth)
            case ast.Call() if (meant := self._models(rows.func, depth)) is not None:
                return meant
            case ast.Call():
                return self._models_of_any(rows.args, depth)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._models(rows.elt, depth)
            case ast.Attribute() | ast.Subscript() | ast.Starred() | ast.NamedExpr():
                return self._models(rows.value, depth)
        return None

    def _models_of_name(self, name: str, depth: int) -> set[str] | None:
        if name in MODELS:
            return {name}
        if name == "self":
            owners = [scope.name for scope in self.scopes if isinstance(scope, ast.ClassDef)]
            return MODELS.keys() & {owner.removesuffix("QuerySet") for owner in owners} or None
        if depth > 4:
            return set()  # bound to what was made of itself
        if function := self.functions.get(name):
            noted = None if function.returns is None else _models_of_note(function.returns)
            return noted or self._models_of_any(_returns(function), depth + 1)
        found = self._bindings(name)
        return _union(
            [self._models(value, depth + 1) if note is None else _models_of_note(note) for value, note in found]
        )

    def _bindings(self, name: str) -> list[tuple[ast.expr | None, ast.expr | None]]:
        """Return what the name is bound to in the innermost scope that binds it: values, or annotations."""
        for scope in reversed(self.scopes):
            if found := [(value, note) for bound, value, note in _bindings_in(scope) if bound == name]:
                return found
        return []


def _bindings_in(scope: ast.AST) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                yield from ((_name_of(target), value, None) for target, value in zip(targets, values, strict=True))
            case ast.Assign():
                yield from ((_name_of(target), node.value, None) for target in node.targets)
            case ast.AugAssign() | ast.NamedExpr():
                yield _name_of(node.target), node.value, None
            case ast.AnnAssign():
                yield _name_of(node.target), node.value, None if node.value else node.annotation
            case ast.For() | ast.comprehension():
                yield from ((_name_of(part), node.iter, None) for part in ast.walk(node.target))
            case ast.arg(annotation=ast.expr()):
                yield node.arg, None, node.annotation


def _models_of_note(note: ast.expr) -> set[str] | None:
    """Return the models that an annotation names, none for a type of something else; None where it says nothing."""
    words = set(re.findall(r"\w+", ast.unparse(note)))
    if named := {word.removesuffix("QuerySet") for word in words} & MODELS.keys():
        return named
    return None if words & {"Any", "Model", "QuerySet", "Manager", "object"} else set()


def _union(found: Sequence[set[str] | None]) -> set[str] | None:
    known = [each for each in found if each is not None]
    return set[str]().union(*known) if known and len(known) == len(found) else None


def _returns(function: ast.FunctionDef) -> list[ast.expr | None]:
    return [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]


def _name_of(node: ast.AST) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Call():
            return _name_of(node.func)
    return ""


def _pattern(key: ast.expr) -> str:
    match key:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.Attribute(value=ast.Name(id="kind"), attr="name"):
            return "(qr_code|pdf_ticket)"
        case ast.FormattedValue():
            return _pattern(key.value)
        case ast.JoinedStr():
            return "".join(_pattern(part) for part in key.values)
    return ANYTHING


def writes_in(module: str, source: str) -> list[Write]:
    return Reader(module, source).found


@pytest.fixture(scope="module")
def writes() -> list[Write]:
    return [write for module, path in SOURCES.items() for write in writes_in(module, path.read_text())]


def allowed() -> set[tuple[str, str, str]]:
    return {
        (f"apps.{module}", model.__name__, column)
        for model, groups in WRITERS.items()
        for columns, modules in groups.items()
        for column in columns.split()
        for module in modules.split()
    }


@pytest.mark.parametrize("model", WRITERS)
def test_the_table_has_every_column_once(model: type[models.Model]) -> None:
    named = " ".join(WRITERS[model]).split()
    assert sorted(set(named) - {UNKNOWN}) == sorted(machine_columns(model))
    assert len(named) == len(set(named))


def test_each_column_is_written_by_its_own_modules_alone(writes: list[Write]) -> None:
    strangers = [write for write in writes if (write.module, write.model, write.column) not in allowed()]
    assert not strangers, "Write it by a function of the module that the table names."


def test_no_module_stands_in_the_table_for_nothing(writes: list[Write]) -> None:
    assert not allowed().difference((write.module, write.model, write.column) for write in writes)


@pytest.mark.parametrize(
    ("source", "model", "column"),
    [
        ("EventTicket.objects.filter(pk=1).update(used_at=now)", EventTicket, "used_at"),
        ("def f(event):\n    event.tickets.update(state='ready')", EventTicket, "state"),
        ("def f(tickets: models.QuerySet[EventTicket]):\n    tickets.update(lease=None)", EventTicket, "lease"),
        ("def f(rows):\n    rows.filter(pk=1).update(republish_after=None)", Event, "republish_after"),
        ("rows = EventTicket.objects.all()\nrows.update(**{f'{kind}_etag': ''})", EventTicket, "pdf_ticket_etag"),
        ("def wanted():\n    return {'revision': 1}\nEventTicket.objects.update(**wanted())", EventTicket, "revision"),
        ("values = {}\nvalues |= {'attempts': 0}\nEventTicket.objects.update(**values)", EventTicket, "attempts"),
        ("def f(values):\n    EventTicket.objects.update(**values)", EventTicket, "?"),
        ("Event.objects.bulk_update(events, ['title', 'face'])", Event, "face"),
        ("Event.objects.bulk_create(events, update_conflicts=True, update_fields=['face'])", Event, "face"),
        ("Event.objects.update_or_create(pk=1, defaults={'face': ''})", Event, "face"),
        ("update_each(EventTicket, [Row(1, {}, {'published_suffix': ''})])", EventTicket, "published_suffix"),
        ("update_each(EventTicket, rows, in_bulk=True)", EventTicket, "in_bulk"),
        ("def f(row: WebhookEndpoint):\n    row.save(update_fields=['failures'])", WebhookEndpoint, "failures"),
        (
            "def f(row: WebhookEndpoint, form):\n    row.save(update_fields=form.changed_data)",
            WebhookEndpoint,
            "?",
        ),
        ("row = WebhookEndpoint.objects.get()\nrow.secret = ''\nrow.save()", WebhookEndpoint, "secret"),
        ("row = Event.objects.get()\nsetattr(row, 'face', '')\nrow.save()", Event, "face"),
    ],
)
def test_a_write_elsewhere_is_found(source: str, model: type[models.Model], column: str) -> None:
    """The control: each way to write a column, in a module that the table does not name."""
    found = {(write.model, write.column) for write in writes_in("apps.elsewhere", source)}
    assert (model.__name__, column) in found


@pytest.mark.parametrize(
    "source",
    [
        "EventTicket.objects.filter(used_at=None).update(holder_name='')",
        "TicketCode.objects.update(state='', lease=None)",
        "def f(row: Event, form):\n    row.save(update_fields=Event.edited_columns(form.changed_data))",
        "row = Event.objects.get()\nrow.title = ''\nrow.save()",
        "ticket = EventTicket.objects.get()\nticket.lease = None",
    ],
)
def test_other_writes_are_left_alone(source: str) -> None:
    assert not writes_in("apps.elsewhere", source)
