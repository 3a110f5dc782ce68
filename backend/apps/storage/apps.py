"""The Django app of storage."""

from django.apps import AppConfig


class StorageConfig(AppConfig):
    """Configuration of the app."""

    name = "apps.storage"
    verbose_name = "Storage"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks

        checks.register()
