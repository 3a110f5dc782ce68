from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from apps.core.jobs import kinds

        from . import checks, jobs, receivers  # registering them needs the models, which are loaded by now

        checks.register()
        receivers.connect()
        kinds.register(jobs.WEBHOOKS)
