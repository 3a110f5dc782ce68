"""Which of an account's files this deployment has uploaded: it tags them, so that several can store in one account."""

from __future__ import annotations

import uuid
from typing import Final

from django.db import models

TAG_PREFIX: Final = "admit_deployment_"


class Deployment(models.Model):
    """One row: the random id of this deployment. It goes with the database, also into copies of that."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        db_table = "events_deployment"
        default_permissions = ()

    def __str__(self) -> str:
        return self.uuid.hex


def deployment_tag() -> str:
    """Return the tag of every file that this deployment uploads. Create the row on first use."""
    deployment, _ = Deployment.objects.get_or_create(pk=1)
    return f"{TAG_PREFIX}{deployment.uuid.hex}"
