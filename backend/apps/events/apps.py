from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"
    verbose_name = "Events and tickets"

    def ready(self) -> None:
        from . import checks, receivers  # registering them needs the models, which are loaded by now

        checks.register()
        receivers.connect()
