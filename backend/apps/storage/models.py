"""The id of this deployment, which tags its files, so that several deployments can share one account."""

from __future__ import annotations

import uuid
from typing import Final

from django.db import models

TAG_PREFIX: Final = "admit_deployment_"


class Deployment(models.Model):
    """The random id of this deployment, in a single row. A copy of the database has the same id."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:  # noqa: D106 # options of Django
        db_table = "events_deployment"
        default_permissions = ()

    def __str__(self) -> str:
        return self.uuid.hex


def deployment_tag() -> str:
    """Return the tag of this deployment's files. The first call creates the row."""
    deployment, _ = Deployment.objects.get_or_create(pk=1)
    return f"{TAG_PREFIX}{deployment.uuid.hex}"
