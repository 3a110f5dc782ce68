from django.apps import AppConfig


class CheckinConfig(AppConfig):
    name = "apps.checkin"
    verbose_name = "Check-in"
