from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "apps.storage"
    verbose_name = "Storage"

    def ready(self) -> None:
        from . import checks

        checks.register()
