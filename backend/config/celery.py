"""The Celery application. Every option stands in settings.py under CELERY_*."""

import os

from celery import Celery
from celery.signals import celeryd_init

from . import heartbeat
from .priority import apply_niceness_to_session

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("admit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()  # of every installed app
heartbeat.connect()


@celeryd_init.connect
def _before_the_workers_start(**_: object) -> None:
    apply_niceness_to_session()
