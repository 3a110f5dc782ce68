from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Admit"

    def ready(self) -> None:
        from . import checks

        checks.register()
