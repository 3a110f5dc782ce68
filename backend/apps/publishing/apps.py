from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "apps.publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        from . import checks, receivers  # registering them needs the models, which are loaded by now

        checks.register()
        receivers.connect()
