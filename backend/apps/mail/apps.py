from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "apps.mail"
    verbose_name = "Mail"

    def ready(self) -> None:
        from apps.core.jobs import kinds

        from . import checks, sending

        checks.register()
        kinds.register(sending.MAIL)
