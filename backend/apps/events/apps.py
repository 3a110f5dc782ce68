from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"
    verbose_name = "Events and tickets"

    def ready(self) -> None:
        from . import checks, receivers  # these import the models, which are not loaded before

        checks.register()
        receivers.connect()
