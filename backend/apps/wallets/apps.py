from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "apps.wallets"
    verbose_name = "Wallet passes"

    def ready(self) -> None:
        from . import checks, receivers  # import models, which are not loaded any earlier

        checks.register()
        receivers.connect()
