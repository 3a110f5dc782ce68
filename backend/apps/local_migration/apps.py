from django.apps import AppConfig


class LocalMigrationConfig(AppConfig):
    name = "apps.local_migration"
    verbose_name = "Migration of local files"
