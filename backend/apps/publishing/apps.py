from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "apps.publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        from apps.core.jobs import kinds

        from . import (  # registering them needs the models, which are loaded by now
            checks,
            deletions,
            invalidation,
            receivers,
        )

        checks.register()
        receivers.connect()
        kinds.register(deletions.DELETIONS)
        kinds.register(invalidation.CHANGED_EVENTS)
