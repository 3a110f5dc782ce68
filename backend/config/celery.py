"""The Celery application. Its options are the CELERY_* settings of settings.py."""

import os

from celery import Celery
from celery.signals import celeryd_init

from . import heartbeat
from .priority import apply_niceness_to_session

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery ignores what the system checks find, and they would import all pages into every worker.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("admit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
heartbeat.connect()


@celeryd_init.connect
def _set_priority_of_worker(**_: object) -> None:
    apply_niceness_to_session()
