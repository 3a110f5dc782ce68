from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "People and teams"

    def ready(self) -> None:
        from . import checks  # registering them needs the models, which are loaded by now

        checks.register()
