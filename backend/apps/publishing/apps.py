from django.apps import AppConfig


class PublishingConfig(AppConfig):
    name = "apps.publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        from apps.core.jobs import kinds

        from . import checks, receivers  # these import the models, which are not loaded before
        from .deletions import DELETIONS
        from .invalidation import CHANGED_EVENTS
        from .outcomes import TICKETS

        checks.register()
        receivers.connect()
        for kind in (TICKETS, DELETIONS, CHANGED_EVENTS):
            kinds.register(kind)
