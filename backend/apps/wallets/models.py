"""The pass classes that exist at Google. Links to Google Wallet need not contain these."""

from __future__ import annotations

from django.db import models


class GoogleWalletClass(models.Model):
    """A class that exists at Google. Its id ends in a digest of its content, so a changed event gets another class."""

    class_id = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "events_googlewalletclass"
        default_permissions = ()

    def __str__(self) -> str:
        return self.class_id
