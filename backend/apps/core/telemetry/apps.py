from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TelemetryConfig(AppConfig):
    name = "apps.core.telemetry"

    def ready(self) -> None:
        from . import process_files, tasks  # these read the settings

        process_files.remove_stale_files()
        autodiscover_modules("metrics")
        tasks.connect()
