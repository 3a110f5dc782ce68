from django.apps import AppConfig
from django.urls import register_converter

from apps.core.http.row_ids import RowIdConverter


class EventsConfig(AppConfig):
    name = "apps.events"
    verbose_name = "Events and tickets"

    def ready(self) -> None:
        from apps.core.addresses import clean_addresses_in_all_forms
        from apps.publishing import receivers

        from . import checks  # registering them needs the models, which are loaded by now

        clean_addresses_in_all_forms()
        checks.register()
        receivers.connect()
        register_converter(RowIdConverter, "row_id")
