"""The table of classes that are known to exist at Google, so that links to Google Wallet can leave them out."""

from __future__ import annotations

from django.db import models


class GoogleWalletClass(models.Model):
    """A class that Google has. Its id ends in a digest of its content: an event that has changed has another one."""

    class_id = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "events_googlewalletclass"
        default_permissions = ()

    def __str__(self) -> str:
        return self.class_id
