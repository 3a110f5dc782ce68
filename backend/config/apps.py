from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Admit"

    def ready(self) -> None:
        from . import checks, preloading  # these read the settings

        checks.register()
        preloading.connect()
