from django.apps import AppConfig
from django.urls import register_converter

from .http.row_ids import RowIdConverter


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "Core"

    def ready(self) -> None:
        from .addresses import clean_addresses_in_all_forms

        clean_addresses_in_all_forms()
        register_converter(RowIdConverter, "row_id")
