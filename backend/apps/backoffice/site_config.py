from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class BackOfficeAdminConfig(SimpleAdminConfig):
    """Replaces `django.contrib.admin` in INSTALLED_APPS.

    Only `config/urls.py` and the system checks load the pages of the back office. They need many modules, and workers
    have no use for them.
    """

    default_site = "apps.backoffice.site.BackOfficeSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)


def check_pages(app_configs: Sequence[Any] | None, **options: Any) -> list[checks.CheckMessage]:
    admin.autodiscover()
    return list(check_admin_app(app_configs, **options))
