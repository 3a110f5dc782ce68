from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "People and teams"

    def ready(self) -> None:
        from . import checks  # imports models, which are not loaded any earlier

        checks.register()
