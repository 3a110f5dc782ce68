from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "apps.publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        from apps.core.jobs import kinds

        from . import checks, deletions, receivers  # registering them needs the models, which are loaded by now

        checks.register()
        receivers.connect()
        kinds.register(deletions.DELETIONS)
