from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "apps.publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        from . import receivers  # registering them needs the models, which are loaded by now

        receivers.connect()
