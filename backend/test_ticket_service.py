"""Check the set-up: make one ticket's files, upload them, read them back and delete them.

    python test_ticket_service.py

prints a line for each step and exits with 0. If a step fails, it prints the cause and what to do, and exits with 1. It
needs no database. Under pytest the same steps are a test, against a cloudlet. Importing this file does nothing.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.storage.gateway import FileKind

Say = Callable[[str], object]


def main(say: Say) -> int:
    """Set up Django, run the steps, and return the exit code."""
    from apps.core.packages import missing_optional_packages, missing_packages

    if missing := missing_packages():
        for line in missing:
            say(line)
        return 1
    for line in missing_optional_packages():
        say(line)
    import django
    from django.core.exceptions import ImproperlyConfigured
    from environs import EnvError

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
    except (ImproperlyConfigured, EnvError) as error:
        say(f"❌ Error reading the configuration: {error}")
        return 1
    return check_everything(say)


def check_everything(say: Say) -> int:
    """Run the steps. Return 0, or 1 after the first step that fails."""
    from apps.storage.gateway import MediaError
    from ticketkit import RenderingError

    try:
        check_configuration(say)
        store_and_read_back(str(uuid.uuid4()), say)
    except (MediaError, RenderingError, SelfTestError) as error:
        say(str(error))
        say("Nothing else was tried. docs/reference/ticket-system.md has a section “Troubleshooting”.")
        return 1
    say("🎉 Everything works.")
    return 0


class SelfTestError(Exception):
    """A step failed. The text says which, why, and what to do."""


def check_configuration(say: Say) -> None:
    from django.conf import settings
    from django.core import checks

    for message in checks.run_checks(include_deployment_checks=False):
        if message.level >= checks.ERROR:
            raise SelfTestError(f"❌ Error in the configuration: {message.msg} {message.hint or ''}")
    account = settings.CLOUDINARY_ACCOUNT
    place = account.upload_prefix or "api.cloudinary.com"
    say(f"✅ Configuration: cloud “{account.cloud_name}” at {place}, {settings.CLOUDINARY_DELIVERY_TYPE} delivery")


def store_and_read_back(ticket_id: str, say: Say) -> None:
    """Make both files of a ticket, upload, fetch and scan them. Delete what was uploaded, also after an error."""
    from apps.events.ticket_service import ticket_service
    from apps.storage import gateway

    qr_code = ticket_service.generate_qr_code(ticket_id, "Concert Night")
    say(f"✅ QR code made: {len(qr_code.getvalue()):,} bytes")
    pdf_ticket = ticket_service.generate_pdf_ticket(
        {
            "ticket_id": ticket_id,
            "event_title": "Concert Night",
            "event_date": "2024-01-15 19:00",
            "buyer_name": "John Doe",
            "quantity": 2,
        }
    )
    say(f"✅ PDF ticket made: {len(pdf_ticket.getvalue()):,} bytes")
    uploads = (
        (gateway.QR_CODE, qr_code, ticket_service.upload_qr_code_to_cloudinary),
        (gateway.PDF_TICKET, pdf_ticket, ticket_service.upload_pdf_ticket_to_cloudinary),
    )
    stored: list[str] = []
    try:
        for kind, buffer, upload in uploads:
            result = upload(buffer, ticket_id, 0)
            stored.append(result["public_id"])
            say(f"✅ {kind.label} uploaded: {result['url']}")
            read_back(kind, result["public_id"], result["version"], buffer.read(), ticket_id)
            say(f"✅ {kind.label} fetched back, and its code scanned")
    finally:
        gone = [ticket_service.delete_ticket_from_cloudinary(public_id) for public_id in stored]
    if not all(gone):
        raise SelfTestError(
            "❌ Error deleting the files from Cloudinary: they had been deleted already. "
            "Does another process delete them?"
        )
    say("✅ Both files deleted")


def read_back(kind: FileKind, public_id: str, version: int, content: bytes, code: str) -> None:
    from apps.publishing import verification
    from ticketkit import read_codes

    delivered = verification.fetch(kind, public_id, version)
    if read_codes(delivered) != [code]:
        raise SelfTestError(
            f"❌ Error scanning the {kind.label}: what Cloudinary delivers doesn't show the ticket's code."
        )
    if not content:
        raise SelfTestError(f"❌ Error reading the {kind.label} again after its upload: the buffer is empty.")


def test_ticket_service() -> None:
    from django.conf import settings
    from django.test import override_settings

    from cloudlet.testing import running_cloudlet

    account = settings.CLOUDINARY_ACCOUNT
    said: list[str] = []
    cloud, key, secret = account.cloud_name, account.api_key, account.api_secret
    with running_cloudlet(cloud_name=cloud, api_key=key, api_secret=secret) as server:
        here = dataclasses.replace(account, upload_prefix=server.url, cname=server.authority)
        with override_settings(CLOUDINARY_ACCOUNT=here):
            assert check_everything(said.append) == 0, said  # noqa: S101 # a test
    assert [line[0] for line in said] == ["✅"] * 8 + ["🎉"]  # noqa: S101


if __name__ == "__main__":
    sys.exit(main(lambda line: sys.stdout.write(line + "\n")))
