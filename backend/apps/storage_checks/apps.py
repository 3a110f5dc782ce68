from django.apps import AppConfig


class StorageChecksConfig(AppConfig):
    name = "apps.storage_checks"
    verbose_name = "Storage checks"
