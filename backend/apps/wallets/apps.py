from django.apps import AppConfig


class WalletsConfig(AppConfig):
    name = "apps.wallets"
    verbose_name = "Wallet passes"

    def ready(self) -> None:
        from . import checks, receivers  # registering them needs the models, which are loaded by now

        checks.register()
        receivers.connect()
