"""Test the upgrade from the previous release, whose models moved to other apps, and its rollback.

The tests cover rows, permissions, history, URLs of the back office, queued messages, and running processes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from celery import current_app
from django.apps import apps as apps_of_today
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.migrations import RunPython
from django.test import Client
from django.utils import timezone
from kombu import Queue

from apps.accounts.models import User
from apps.checkin.admission import Verdict, check
from apps.events.codes import code_of
from apps.events.models import Event, EventTicket, IssuedList
from apps.mail.models import OutgoingMail
from apps.publishing.models import ChangedEvent, StoredFileDeletion
from apps.storage import gateway
from apps.storage.models import TAG_PREFIX, Deployment, deployment_tag
from apps.storage_checks.models import Examination, UsageSample
from apps.wallets.models import GoogleWalletClass
from apps.webhooks.models import WebhookMessage
from cloudlet.testing import RunningCloudlet, running_cloudlet
from tests.database import Snapshot, restore_migrated
from tests.google import CLASSES, TOKEN, Google, running_google
from tests.mail.server import MailServer, mail_server
from tests.pictures import codes_in_png
from tests.wallet_credentials import Authority
from tests.webhooks.receiver import Receiver, receiving
from tests.workers import wait_until, working

from . import previous_release
from .previous_release import GRANTED, MOVED, NOTE, PERMISSIONS, Left

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.integration,
    pytest.mark.xdist_group("upgrade"),  # the database of the previous release is made once
]

QUEUES = ("interactive", "bulk", "webhooks")
CHECKS = "storage_checks/examination/"
DELETIONS = "publishing/storedfiledeletion/"


class Upgrade(NamedTuple):
    """The database that the previous release left, before and after `migrate`."""

    left: Left
    rows: dict[str, list[dict[str, Any]]]
    grants: set[tuple[int, int | None, int | None]]
    history: list[dict[str, Any]]
    before: Snapshot
    after: Snapshot


@pytest.fixture(scope="module")
def upgrade(django_db_setup: None, django_db_blocker: Any) -> Iterator[Upgrade]:
    """Go back and forward once; every test then starts with a copy."""
    with django_db_blocker.unblock():
        try:
            left = previous_release.fill(previous_release.go_back())
            rows, grants, history = left.snapshot(), grants_of(left), history_of(left)
            before = Snapshot.take("previous_release")
            migrate()
            after = Snapshot.take("upgraded")
        finally:
            restore_migrated()
        yield Upgrade(left, rows, grants, history, before, after)


@pytest.fixture
def left(upgrade: Upgrade) -> Iterator[Left]:
    """Return what the previous release left, in a database that is not migrated yet."""
    upgrade.before.restore()
    yield upgrade.left
    restore_migrated()


@pytest.fixture
def upgraded(upgrade: Upgrade) -> Iterator[Left]:
    """Return what the previous release left, in a database that has been migrated."""
    upgrade.after.restore()
    yield upgrade.left
    restore_migrated()


def migrate(*target: str) -> None:
    """Run `migrate` and clear the cache of content types, as a new process has none."""
    call_command("migrate", *target, verbosity=0, interactive=False)
    ContentType.objects.clear_cache()


def labels() -> list[tuple[str, str]]:
    """Return the moved models, with the app labels of their content types."""
    found = ContentType.objects.filter(model__in=MOVED).order_by("model", "app_label")
    return list(found.values_list("model", "app_label"))


def grants_of(left: Left) -> set[tuple[int, int | None, int | None]]:
    """Return users with their permissions, and with those by a group."""
    return set(left.rows_of("accounts.User").values_list("pk", "user_permissions", "groups__permissions"))


def history_of(left: Left) -> list[dict[str, Any]]:
    return list(left.rows_of("admin.LogEntry").order_by("pk").values())


def signed_in(left: Left, name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=left.keys[name]))
    return client


# -- Rows --------------------------------------------------------------------------------------------------------


def test_current_models_find_every_row(upgrade: Upgrade, upgraded: Left) -> None:
    before = upgrade.rows
    assert all(before[f"events_{model}"] for model in MOVED)

    models = {model._meta.db_table: model for model in apps_of_today.get_models()}
    for table, rows in before.items():
        after = list(models[table]._base_manager.order_by("pk").values())
        assert len(after) == len(rows), table
        for row, found in zip(rows, after, strict=True):
            names = {field.column: field.attname for field in models[table]._meta.concrete_fields}
            # `seen_at`: the column is left to processes of the previous release
            kept = {names.get(name, name): value for name, value in row.items() if name != "seen_at"}
            assert kept.items() <= found.items(), table
    assert Examination.objects.get(is_open=True).asked_by == User.objects.get(pk=upgraded.keys["granted"])
    assert deployment_tag() == f"{TAG_PREFIX}{previous_release.DEPLOYMENT.hex}"
    assert Deployment.objects.count() == 1
    assert GoogleWalletClass.objects.get().class_id == previous_release.GOOGLE_CLASS


def test_printed_codes_are_valid(upgraded: Left) -> None:
    staff = User.objects.create(email="root@example.org", is_superuser=True, is_staff=True)
    tickets = {name: EventTicket.objects.get(pk=upgraded.keys[name]) for name in ("ready", "used")}
    assert check(code_of(tickets["ready"]), staff).verdict is Verdict.VALID
    assert check(code_of(tickets["used"]), staff).verdict is Verdict.USED
    assert check(previous_release.PRINTED_TEXT, staff).verdict is Verdict.VALID


# -- Permissions, URLs, history ----------------------------------------------------------------------------------


def test_previous_release_had_the_permissions_in_events(left: Left) -> None:
    assert labels() == [(model, "events") for model in MOVED]
    ours = Permission.objects.filter(content_type__model__in=MOVED)
    assert dict(ours.values_list("codename", "name")) == PERMISSIONS
    user = User.objects.get(pk=left.keys["granted"])
    assert user.has_perms([f"events.{codename}" for codename in GRANTED])


def assert_granted(left: Left, name: str) -> None:
    """Assert that the user has exactly the former permissions, and can open the pages at their new URLs."""
    user = User.objects.get(pk=left.keys[name])
    assert user.get_all_permissions() == {f"{MOVED[codename.partition('_')[2]]}.{codename}" for codename in GRANTED}
    client = signed_in(left, name)
    for page in (CHECKS, DELETIONS, f"{DELETIONS}{left.keys['qr_code']}/change/"):
        assert client.get(f"/admin/{page}").status_code == 200, page


def assert_history(left: Left) -> None:
    page = signed_in(left, "granted").get(f"/admin/{DELETIONS}{left.keys['qr_code']}/history/")
    assert NOTE in page.content.decode()
    entries = {entry.object_repr: entry.get_edited_object() for entry in LogEntry.objects.filter(change_message=NOTE)}
    assert entries == {
        "qr_code": StoredFileDeletion.objects.get(pk=left.keys["qr_code"]),
        "done check": Examination.objects.get(pk=left.keys["done check"]),
    }


@pytest.mark.parametrize("name", ["granted", "member"])
def test_permissions_of_users_and_groups_are_kept(upgraded: Left, name: str) -> None:
    assert_granted(upgraded, name)
    page = signed_in(upgraded, name).get(f"/admin/{CHECKS}?check={upgraded.keys['done check']}").content.decode()
    assert "the PDF of ticket 4711" in page
    index = signed_in(upgraded, name).get("/admin/").content.decode()
    assert f"/admin/{CHECKS}" in index
    assert f"/admin/{DELETIONS}" in index


def test_user_without_permissions_gets_none(upgraded: Left) -> None:
    assert User.objects.get(pk=upgraded.keys["clerk"]).get_all_permissions() == set()
    for page in (CHECKS, DELETIONS):
        assert signed_in(upgraded, "clerk").get(f"/admin/{page}").status_code == 403


def test_old_urls_redirect_to_the_pages(upgraded: Left) -> None:
    client, row = signed_in(upgraded, "granted"), upgraded.keys["qr_code"]
    for old, new in {
        f"examination/?check={upgraded.keys['done check']}": f"{CHECKS}?check={upgraded.keys['done check']}",
        "storedfiledeletion/?kind__exact=qr_code": f"{DELETIONS}?kind__exact=qr_code",
        f"storedfiledeletion/{row}/change/": f"{DELETIONS}{row}/change/",
        f"storedfiledeletion/{row}/history/": f"{DELETIONS}{row}/history/",
    }.items():
        answer = client.get(f"/admin/events/{old}", follow=True)
        assert answer.redirect_chain == [(f"/admin/{new}", 302)]
        assert answer.status_code == 200


def test_form_that_was_open_during_the_upgrade_works(upgraded: Left) -> None:
    Examination.objects.filter(is_open=True).update(is_open=None, state="done")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(pk=upgraded.keys["member"]))
    token = client.get(f"/admin/{CHECKS}").context["csrf_token"]
    assert client.post("/admin/events/examination/start/").status_code == 403
    answer = client.post("/admin/events/examination/start/", {"csrfmiddlewaretoken": token}, follow=True)
    assert answer.redirect_chain == [(f"/admin/{CHECKS}start/", 307), (f"/admin/{CHECKS}", 302)]
    assert Examination.objects.get(is_open=True).asked_by == User.objects.get(pk=upgraded.keys["member"])


def test_history_is_shown_with_its_objects(upgraded: Left) -> None:
    assert_history(upgraded)


def test_migrating_twice_creates_no_duplicates(left: Left) -> None:
    for _ in range(2):
        migrate()
        assert labels() == list(MOVED.items())
        ours = Permission.objects.filter(content_type__model__in=MOVED)
        assert sorted(ours.values_list("codename", "name")) == sorted(PERMISSIONS.items())
        for name in ("granted", "member"):
            assert_granted(left, name)
    assert User.objects.get(pk=left.keys["granted"]).user_permissions.count() == len(GRANTED)


def test_permissions_and_history_are_lost_without_moving_content_types(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the tests above."""
    monkeypatch.setattr(RunPython, "database_forwards", lambda *_: None)
    migrate()
    assert len(labels()) == 2 * len(MOVED)
    for name in ("granted", "member"):
        user = User.objects.get(pk=left.keys[name])
        assert not any(user.has_perm(f"{MOVED[codename.partition('_')[2]]}.{codename}") for codename in GRANTED)
        assert signed_in(left, name).get(f"/admin/{CHECKS}").status_code == 403
        with pytest.raises(AssertionError):
            assert_granted(left, name)
    with pytest.raises(AssertionError):
        assert_history(left)


def test_permission_granted_during_the_upgrade_is_kept(left: Left) -> None:
    """`migrate storage_checks` alone creates the new content type, which an administrator may use before the rest."""
    migrate("storage_checks")
    assert ("examination", "storage_checks") in labels()
    user = User.objects.get(pk=left.keys["clerk"])
    user.user_permissions.add(
        Permission.objects.get(codename="view_examination", content_type__app_label="storage_checks")
    )

    migrate()

    assert labels() == list(MOVED.items())
    assert User.objects.get(pk=user.pk).get_all_permissions() == {"storage_checks.view_examination"}
    assert_granted(left, "granted")
    assert_history(left)


# -- Rollback, and upgrade again ---------------------------------------------------------------------------------

APPS = sorted(set(MOVED.values()))


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param([("events", "0015")], id="events"),
        pytest.param([(app, "zero") for app in APPS], id="apps first"),
        pytest.param(
            [("events", "0015"), *((app, "zero") for app in APPS)], id="events first", marks=pytest.mark.soak
        ),  # both of the others, one after the other
    ],
)
def test_rollback_and_second_upgrade_keep_rows_and_permissions(
    upgrade: Upgrade, upgraded: Left, commands: list[tuple[str, str]]
) -> None:
    left = upgraded
    # A process of the previous release, still running, serves a page of the back office.
    content_types = left.apps.get_model("contenttypes", "ContentType").objects
    content_types.clear_cache()
    content_types.get_for_model(left.apps.get_model("events", "StoredFileDeletion"))
    assert ("storedfiledeletion", "events") in labels()

    for command in commands:
        migrate(*command)
    previous_release.make_content_types(left.apps)  # as its `migrate` does

    assert left.snapshot() == upgrade.rows
    assert {model for model, app in labels() if app == "events"} == set(MOVED)
    assert history_of(left) == upgrade.history
    assert {entry.content_type.app_label for entry in left.rows_of("admin.LogEntry").all()} == {"events"}
    assert grants_of(left) == upgrade.grants
    for name in ("granted", "member"):
        assert User.objects.get(pk=left.keys[name]).get_all_permissions() == {
            f"events.{codename}" for codename in GRANTED
        }

    migrate()

    assert left.snapshot() == upgrade.rows
    assert labels() == list(MOVED.items())
    for name in ("granted", "member"):
        assert_granted(left, name)
    assert_history(left)


def test_processes_of_both_releases_share_the_database(upgrade: Upgrade, upgraded: Left) -> None:
    """The database is migrated first. Models moved, but no table did."""
    left = upgraded
    assert left.snapshot() == upgrade.rows
    theirs = {name: left.rows_of(f"events.{name}") for name in MOVED}

    deletion = theirs["storedfiledeletion"].create(kind="qr_code", name="tickets/qr_codes/1/ticket_old")
    assert StoredFileDeletion.objects.get(pk=deletion.pk).name == deletion.name
    theirs["storedfiledeletion"].filter(pk=deletion.pk).update(attempts=7)
    assert StoredFileDeletion.objects.get(pk=deletion.pk).attempts == 7
    new = StoredFileDeletion.objects.create(kind="pdf_ticket", name="tickets/pdf/1/ticket_new")
    assert theirs["storedfiledeletion"].get(pk=new.pk).name == new.name
    theirs["storedfiledeletion"].get(pk=new.pk).delete()
    assert not StoredFileDeletion.objects.filter(pk=new.pk).exists()

    theirs["examination"].filter(is_open=True).update(state="done", is_open=None, finished_at=timezone.now())
    asked = theirs["examination"].create(asked_by_id=left.keys["clerk"])
    assert Examination.objects.get(is_open=True).pk == asked.pk
    left.rows_of("accounts.User").get(pk=left.keys["clerk"]).delete()
    assert Examination.objects.get(pk=asked.pk).asked_by is None

    theirs["usagesample"].create(storage=4711)
    assert UsageSample.objects.filter(storage=4711).exists()
    theirs["googlewalletclass"].create(class_id="3388.event-8")
    assert GoogleWalletClass.objects.filter(class_id="3388.event-8").exists()
    assert str(theirs["deployment"].get().uuid) == str(Deployment.objects.get().uuid)
    User.objects.get(pk=left.keys["granted"]).delete()
    assert not theirs["examination"].exclude(asked_by=None).exists()


# -- A new database ----------------------------------------------------------------------------------------------


def test_new_database_has_the_new_labels_only() -> None:
    restore_migrated()  # the tests' database, as `migrate` made it from an empty one
    assert labels() == list(MOVED.items())


# -- The queue ---------------------------------------------------------------------------------------------------


@pytest.fixture
def account(settings: Any, tmp_path: Path) -> Iterator[RunningCloudlet]:
    """Run a cloudlet without files for this test, which this process and workers use."""
    own = settings.CLOUDINARY_ACCOUNT
    names = {"cloud_name": own.cloud_name, "api_key": own.api_key, "api_secret": own.api_secret}
    with running_cloudlet(**names) as server:
        settings.CLOUDINARY_ACCOUNT = dataclasses.replace(own, upload_prefix=server.url, cname=server.authority)
        settings.CLOUDLET_PORT = int(server.authority.rpartition(":")[2])
        settings.VAR_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"
        yield server


@pytest.fixture
def receiver(left: Left, settings: Any) -> Iterator[Receiver]:
    """Run the integrator's server of the webhook endpoint."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with receiving() as receiver:
        left.rows_of("webhooks.WebhookEndpoint").update(url=receiver.url)
        yield receiver


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    with mail_server() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def google(settings: Any, tmp_path: Path) -> Iterator[Google]:
    authority = Authority()
    with running_google(authority.key.public_key(), "3388000000012345678") as running:
        credentials = tmp_path / "google.json"
        credentials.write_text(authority.service_account(token_uri=f"{running.url}{TOKEN}"))
        settings.GOOGLE_WALLET_CREDENTIALS = str(credentials)
        settings.GOOGLE_WALLET_ISSUER_ID = "3388000000012345678"
        settings.GOOGLE_WALLET_API_URL = running.url
        yield running


def run_queued_tasks() -> list[str]:
    """Run the tasks of all queues as a worker does, until there are none. Return their names."""
    current_app.loader.import_default_modules()
    done: list[str] = []
    with current_app.connection_for_read() as broker:
        queues = [Queue(name, channel=broker.default_channel) for name in QUEUES]
        while found := [message for queue in queues if (message := queue.get(accept=["json"]))]:
            for message in found:
                arguments, keywords, _ = message.payload
                current_app.tasks[message.headers["task"]].apply(arguments, keywords, throw=True)
                message.ack()
                done.append(message.headers["task"])
    return done


def assert_files(left: Left, contents: dict[str, bytes], made: set[str], kept: set[str]) -> None:
    """Assert that tickets of `made` have new files with their codes, and those of `kept` the former files."""
    tickets = {name: EventTicket.objects.get(pk=left.keys[name]) for name in made | kept}
    assert {ticket.state for ticket in tickets.values()} == {EventTicket.State.READY}
    for name in made:
        assert codes_in_png(tickets[name].qr_code.read()) == [code_of(tickets[name])]
        assert tickets[name].pdf_ticket.read().startswith(b"%PDF")
    for name in kept:
        assert tickets[name].qr_code.read() == contents["qr_code"]
        assert tickets[name].pdf_ticket.read() == contents["pdf_ticket"]


def is_stored(kind: gateway.FileKind, public_id: str) -> bool:
    try:
        gateway.fetch(kind, public_id)
    except gateway.MediaError:
        return False
    return True


def test_worker_runs_every_task_of_the_previous_release(
    left: Left, account: RunningCloudlet, receiver: Receiver, mails: MailServer, google: Google, settings: Any
) -> None:
    contents = previous_release.store_files(left)
    folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])
    messages = previous_release.sent_by_processes(left) + previous_release.sent_by_beat()
    previous_release.put_into_queue(folder, messages)
    deletions = list(left.rows_of("events.StoredFileDeletion").values_list("kind", "name"))
    migrate()

    done = run_queued_tasks()

    assert sorted({task for task, _, _ in messages}) == sorted(set(done))
    assert all(done.count(task) >= number for task, number in _counted(messages).items())
    assert_files(
        left,
        contents,
        made={"new", "in bulk", "reissued", "retried", "abandoned"},
        kept={"ready", "used", "printed"},
    )
    assert EventTicket.objects.get(pk=left.keys["used"]).used_at is not None
    assert EventTicket.objects.get(pk=left.keys["given up"]).reason == "503 Service Unavailable"
    event = Event.objects.get(pk=left.keys["event"])
    assert event.fingerprint or ChangedEvent.objects.filter(event=event), (
        "the event without a fingerprint was not noticed"
    )
    assert Event.objects.get(pk=left.keys["changed event"]).republish_after is None
    assert not ChangedEvent.objects.filter(event=left.keys["changed event"])

    assert not StoredFileDeletion.objects.filter(pk__in=[left.keys[kind] for kind, _ in deletions]).exists()
    kinds = {kind.name: kind for kind in gateway.KINDS}
    assert not any(is_stored(kinds[kind], name) for kind, name in deletions if kind in kinds)
    assert [path for path in (settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []
    storage_check = Examination.objects.get(pk=left.keys["open check"])
    assert (storage_check.state, storage_check.is_open) == ("done", None)
    assert storage_check.finished_at is not None
    assert UsageSample.objects.count() == 3
    assert set(google.paths) == {TOKEN, CLASSES}
    assert GoogleWalletClass.objects.filter(class_id__in=google.classes).exists()

    sent = {received.message_id: received for received in receiver.received}
    assert sent["msg_pending"].verified_with(previous_release.SECRET)["type"] == "ticket.ready"
    assert WebhookMessage.objects.get(message_id="msg_pending").state == "delivered"
    assert not WebhookMessage.objects.filter(message_id="msg_delivered").exists()
    assert [mail["To"] for mail in mails.received] == ["ann@example.org"]
    assert not OutgoingMail.objects.exists()
    assert not Session.objects.filter(session_key=32 * "s").exists()
    assert not IssuedList.objects.exists()

    previous_release.put_into_queue(folder, previous_release.sent_by_beat())  # the next round of beat
    run_queued_tasks()
    assert_files(left, contents, made={"changed"}, kept=set())


def _counted(messages: list[previous_release.Message]) -> dict[str, int]:
    tasks = [task for task, _, _ in messages]
    return {task: tasks.count(task) for task in tasks}


def test_worker_process_runs_the_tasks_of_the_previous_release(
    left: Left, account: RunningCloudlet, receiver: Receiver, mails: MailServer, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    contents = previous_release.store_files(left)
    folder = tmp_path / "worker" / "broker" / "messages"
    folder.mkdir(parents=True, mode=0o700)
    previous_release.put_into_queue(folder, previous_release.sent_by_processes(left))
    migrate()
    monkeypatch.setenv("ADMIT_VAR_DIR", str(tmp_path / "worker"))
    monkeypatch.setenv("MEDIA_ROOT", str(tmp_path / "media"))
    monkeypatch.setenv("CLOUDINARY_URL", account.cloudinary_url)
    monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{mails.port}")
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "True")
    made = {"new", "in bulk", "reissued"}
    is_made = EventTicket.objects.filter(pk__in=[left.keys[name] for name in made], state=EventTicket.State.READY)

    with working("filesystem://", ",".join(QUEUES), "--pool", "solo"):
        for what, is_done in {
            "the tickets published": lambda: is_made.count() == len(made),
            "the outbox of deletions emptied": lambda: not StoredFileDeletion.objects.exists(),
            "the storage check finished": lambda: not Examination.objects.filter(is_open=True).exists(),
            "the mail sent": lambda: not OutgoingMail.objects.exists(),
            "the webhooks delivered": lambda: not WebhookMessage.objects.pending().exists(),
            "the queue emptied": lambda: not any(folder.iterdir()),
        }.items():
            wait_until(is_done, 90, what)

    assert_files(left, contents, made, kept={"ready", "used", "printed"})
    assert Examination.objects.get(pk=left.keys["open check"]).state == "done"
    assert "msg_pending" in {received.message_id for received in receiver.received}
    assert [mail["To"] for mail in mails.received] == ["ann@example.org"]
