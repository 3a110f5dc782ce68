from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "apps.mail"
    verbose_name = "Mail"

    def ready(self) -> None:
        from . import checks

        checks.register()
