"""Recreate the database and the queue of the release in which five models, moved since, were still in `apps.events`.

The rows are written with the models of that release, by the state of its migrations. Permissions and messages were
recorded from it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
from django.apps import apps as apps_of_today
from django.contrib.contenttypes.models import ContentType
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from apps.storage import gateway
from tests.factories import make_picture
from tests.local_tickets import write_local

MIGRATIONS = {
    "accounts": "0002_demo_and_mailed_codes",
    "events": "0015_googlewalletclass",
    "mail": "0001_initial",
    "webhooks": "0001_initial",
}
MOVED = {  # sorted by name
    "deployment": "storage",
    "examination": "storage_checks",
    "googlewalletclass": "wallets",
    "storedfiledeletion": "publishing",
    "usagesample": "storage_checks",
}
PERMISSIONS = {
    "add_examination": "Can add storage check",
    "view_examination": "Can view storage check",
    "add_storedfiledeletion": "Can add file to delete",
    "change_storedfiledeletion": "Can change file to delete",
    "delete_storedfiledeletion": "Can delete file to delete",
    "view_storedfiledeletion": "Can view file to delete",
}
GRANTED = ("add_examination", "view_examination", "delete_storedfiledeletion", "view_storedfiledeletion")

DEPLOYMENT = uuid.UUID("5b1a6f0e-8a35-4b0e-9d0c-3f2d1c5a7e90")
GOOGLE_CLASS = "3388000000012345678.event-7-2f6c0a9d41e8"
PRINTED_TEXT = "https://tickets.example.org/t/4711"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOTE = "Looked into by hand."
FILES = {"qr_code": ("tickets/qr_codes", "png"), "pdf_ticket": ("tickets/pdf", "pdf")}


@dataclass(frozen=True)
class Left:
    """What the release left: its models, and the keys and ids of its rows, by the names that `fill` uses."""

    apps: Any
    keys: dict[str, int] = field(default_factory=dict)
    ticket_ids: dict[str, uuid.UUID] = field(default_factory=dict)

    def rows_of(self, label: str) -> Any:
        """Return the manager of a model of the release."""
        return self.apps.get_model(label)._base_manager

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of the release's tables, read with its models."""
        models = [model for model in self.apps.get_models() if model._meta.app_label in MIGRATIONS]
        return {model._meta.db_table: list(model._base_manager.order_by("pk").values()) for model in models}


def go_back() -> Left:
    """Migrate the database back to the release, with the content types that its `migrate` creates."""
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    ours = {config.label for config in apps_of_today.get_app_configs() if config.name.startswith("apps.")}
    targets = [(app, MIGRATIONS.get(app) if app in ours else name) for app, name in leaves]
    MigrationExecutor(connection).migrate(targets)
    apps = MigrationExecutor(connection).loader.project_state([target for target in targets if target[1]]).apps
    apps.get_model("contenttypes", "ContentType").objects.all().delete()
    make_content_types(apps)
    return Left(apps)


def make_content_types(apps: Any) -> None:
    """Create the content types and permissions of these models, as `migrate` does at its end."""
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default", apps=apps, plan=[])
    ContentType.objects.clear_cache()


# -- Rows --------------------------------------------------------------------------------------------------------


def fill(left: Left) -> Left:
    """Write rows to the tables of the moved models, and to those that the queued tasks use."""
    _fill_people(left)
    _fill_events(left)
    _fill_tickets(left)
    _fill_deletions(left)
    _fill_storage_checks(left)
    _fill_outboxes(left)
    _fill_history(left)
    left.rows_of("events.Deployment").create(pk=1, uuid=DEPLOYMENT)
    left.rows_of("events.GoogleWalletClass").create(class_id=GOOGLE_CLASS)
    left.rows_of("sessions.Session").create(
        session_key=32 * "s", session_data="", expire_date=timezone.now() - timedelta(days=1)
    )
    return left


def _fill_people(left: Left) -> None:
    """Write staff users: one with permissions, one with permissions by a group, and one without."""
    users = {name: left.rows_of("accounts.User").create(email=f"{name}@example.org", is_staff=True)
             for name in ("granted", "member", "clerk")}  # fmt: skip
    for user in users.values():
        left.rows_of("account.EmailAddress").create(user=user, email=user.email, verified=True, primary=True)
    grants = left.rows_of("auth.Permission").filter(content_type__app_label="events", codename__in=GRANTED)
    group = left.rows_of("auth.Group").create(name="Operators")
    group.permissions.set(grants)
    users["granted"].user_permissions.set(grants)
    users["member"].groups.add(group)
    left.keys.update({name: user.pk for name, user in users.items()})


def _fill_events(left: Left) -> None:
    now = timezone.now()
    organiser = left.rows_of("accounts.Organiser").create(name="Night Shift Concerts")
    values = {"organiser": organiser, "title": "Concert Night", "starts_at": now + timedelta(days=30)}
    event = left.rows_of("events.Event").create(time_zone="Europe/Berlin", venue="Old Mill", **values)
    changed = left.rows_of("events.Event").create(face=64 * "0", republish_after=now, **values)
    kind = left.rows_of("events.TicketType").create(event=event, name="Standing", price="25.00")
    issued = left.rows_of("events.IssuedList").create(event=event, key=32 * "a")
    left.rows_of("events.IssuedList").filter(pk=issued.pk).update(issued_at=now - timedelta(days=30))
    left.keys.update({"organiser": organiser.pk, "event": event.pk, "changed event": changed.pk, "type": kind.pk})


def _fill_tickets(left: Left) -> None:
    now = timezone.now()
    ready = {"state": "ready", "next_attempt_at": None, "published_generation": 0, "published_at": now}
    failed = {"state": "failed", "attempts": 2, "reason": "503 Service Unavailable"}
    for name, values in {
        "new": {"ticket_type_id": left.keys["type"], "order_reference": "A1B2-C3D4"},
        "in bulk": {"in_bulk": True},
        "ready": ready,
        "used": ready | {"used_at": now},
        "printed": ready,
        "changed": ready | {"event_id": left.keys["changed event"], "published_face": 64 * "0"},
        "reissued": {"code_generation": 1, "revision": 1, "public_id_suffix": "1f0c9e5ab7d24c3e8a6b"},
        "retried": failed | {"next_attempt_at": now},
        "given up": failed | {"next_attempt_at": None},
        "abandoned": {"attempts": 1, "lease": uuid.uuid4(), "lease_until": now, "next_attempt_at": now},
    }.items():
        ticket_id = uuid.uuid4()
        own = {"ticket_id": ticket_id, "event_id": left.keys["event"], "holder_name": f"John {name}"} | values
        if own.get("state") == "ready":
            own |= _files(own["event_id"], ticket_id)
        left.keys[name] = left.rows_of("events.EventTicket").create(**own).pk
        left.ticket_ids[name] = ticket_id
    digest = hashlib.sha256(PRINTED_TEXT.encode()).hexdigest()
    left.rows_of("events.TicketCode").create(ticket_id=left.keys["printed"], digest=digest, source="picture")


def _files(event_pk: int, ticket_id: uuid.UUID) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, (folder, extension) in FILES.items():
        public_id = f"{folder}/{event_pk}/ticket_{ticket_id}"
        columns |= {name: f"{public_id}.{extension}", f"{name}_cloudinary_id": public_id}
        columns |= {f"{name}_version": 1795984109, f"{name}_etag": "021bf8b62e968e99c1f2c399efe96bb9"}
    return columns


def _fill_deletions(left: Left) -> None:
    gone = uuid.uuid4()
    places = {name: f"{folder}/{left.keys['event']}/ticket_{gone}" for name, (folder, _) in FILES.items()}
    for kind, name in {**places, "local_file": f"qr_codes/ticket_{gone}.png"}.items():
        left.keys[kind] = left.rows_of("events.StoredFileDeletion").create(
            kind=kind, name=name, attempts=1, reason="timed out"
        ).pk  # fmt: skip


def _fill_storage_checks(left: Left) -> None:
    now = timezone.now()
    findings = [{"problem": "missing", "count": 1, "examples": ["the PDF of ticket 4711"]}]
    asked = {"asked_by_id": left.keys["granted"]}
    checks = left.rows_of("events.Examination")
    left.keys["done check"] = checks.create(
        state="done", is_open=None, finished_at=now, listed=6, compared=3, ready=3, findings=findings, **asked
    ).pk
    left.keys["open check"] = checks.create(**asked).pk
    for hours in (25, 1):
        left.rows_of("events.UsageSample").create(
            taken_at=now - timedelta(hours=hours), plan="Plus", storage=3019898980, credits=6.82, credits_limit=25.0
        )


def _fill_outboxes(left: Left) -> None:
    endpoint = left.rows_of("webhooks.WebhookEndpoint").create(
        organiser_id=left.keys["organiser"],
        url="https://hooks.example.org/",
        secret=SECRET,
        event_types=["ticket.ready"],
    )
    about = {"endpoint": endpoint, "event_type": "ticket.ready", "ticket_id": left.ticket_ids["ready"]}
    messages = left.rows_of("webhooks.WebhookMessage")
    messages.create(message_id="msg_pending", data={"ticket_id": str(left.ticket_ids["ready"])}, **about)
    messages.create(
        message_id="msg_delivered", state="delivered", created_at=timezone.now() - timedelta(days=41), **about
    )
    left.rows_of("mail.OutgoingMail").create(
        sender="tickets@example.org",
        recipients=["ann@example.org"],
        message=b"From: tickets@example.org\r\nTo: ann@example.org\r\nSubject: Your code\r\n\r\nIt is 4711.\r\n",
    )


def _fill_history(left: Left) -> None:
    for model, name in (("storedfiledeletion", "qr_code"), ("examination", "done check")):
        left.rows_of("admin.LogEntry").create(
            user_id=left.keys["granted"],
            content_type=left.rows_of("contenttypes.ContentType").get(app_label="events", model=model),
            object_id=str(left.keys[name]),
            object_repr=name,
            action_flag=2,
            change_message=NOTE,
        )


def store_files(left: Left) -> dict[str, bytes]:
    """Store the files that the rows name. Return the contents by kind of file."""
    pdf = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(pdf)
    contents = {"qr_code": make_picture(image_format="PNG"), "pdf_ticket": pdf.getvalue()}
    kinds = {kind.name: kind for kind in gateway.KINDS}
    for ticket in left.rows_of("events.EventTicket").filter(state="ready"):
        for name, content in contents.items():
            stored = gateway.upload(kinds[name], getattr(ticket, f"{name}_cloudinary_id"), content)
            setattr(ticket, f"{name}_version", stored.version)
            setattr(ticket, f"{name}_etag", stored.etag)
        ticket.save()
    for deletion in left.rows_of("events.StoredFileDeletion").all():
        if deletion.kind in kinds:
            gateway.upload(kinds[deletion.kind], deletion.name, contents[deletion.kind])
        else:
            write_local(deletion.name, contents["qr_code"])
    return contents


# -- The queue ---------------------------------------------------------------------------------------------------

Message = tuple[str, list[Any], str]  # task, arguments, queue


def sent_by_processes(left: Left) -> list[Message]:
    """Return the messages that web processes and workers of the release had sent."""
    bulk = [left.keys["in bulk"], left.keys["reissued"]]
    return [
        ("apps.events.tasks.publish", [[left.keys["new"]]], "interactive"),
        ("apps.events.tasks.publish", [bulk], "bulk"),
        ("apps.events.tasks.delete_due", [], "bulk"),
        ("apps.events.tasks.examine", [left.keys["open check"]], "bulk"),
        ("apps.events.tasks.create_google_class", [left.keys["event"]], "bulk"),
        ("apps.mail.tasks.send_due", [], "interactive"),
        ("apps.webhooks.tasks.deliver_due", [], "webhooks"),
    ]


def sent_by_beat() -> list[Message]:
    """Return the messages that beat of the release had sent, one for each entry of its schedule."""
    return [
        ("apps.events.tasks.publish_due", [], "interactive"),
        ("apps.events.tasks.republish_changed", [], "bulk"),
        ("apps.events.tasks.notice_changes", [], "bulk"),
        ("apps.events.tasks.delete_due", [], "bulk"),
        ("apps.webhooks.tasks.sweep", [], "interactive"),
        ("apps.mail.tasks.sweep", [], "interactive"),
        ("apps.webhooks.tasks.forget_old", [], "bulk"),
        ("apps.events.tasks.sample_usage", [], "bulk"),
        ("apps.events.tasks.clear_sessions", [], "bulk"),
        ("apps.events.tasks.forget_issued_lists", [], "bulk"),
    ]


def put_into_queue(folder: Path, messages: Sequence[Message]) -> None:
    """Write the messages to the folder of a filesystem broker, with the same fields as the release."""
    for task, arguments, queue in messages:
        task_id = str(uuid.uuid4())
        body = [arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
        message = {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": task,
                "id": task_id,
                "shadow": None,
                "eta": None,
                "expires": None,
                "group": None,
                "group_index": None,
                "retries": 0,
                "timelimit": [None, None],
                "root_id": task_id,
                "parent_id": None,
                "argsrepr": repr(arguments or ()),
                "kwargsrepr": "{}",
                "origin": "gen30080@vm",
                "ignore_result": None,
                "replaced_task_nesting": 0,
                "stamped_headers": None,
                "stamps": {},
            },
            "properties": {
                "correlation_id": task_id,
                "reply_to": "aa483b0f-0bee-3ad3-8797-14e31379bf2e",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        (folder / name).write_text(json.dumps(message))
