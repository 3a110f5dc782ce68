from django.conf import settings
from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path
from django.views.defaults import page_not_found

from apps.accounts.api_document import VIEWS, api_document
from apps.accounts.mailed_codes import ConfirmCodePage, VerifyCode
from apps.api.app import api

admin.autodiscover()

urlpatterns = [
    path("", include("apps.monitoring.urls")),
    path("", include("apps.pages.urls")),
    path("api/", api.urls),
    path("accounts/confirm-email/", ConfirmCodePage.as_view()),
    path("accounts/", include("allauth.urls")),
    # Sign-in by phone is not supported, and allauth's views for it fail without an implementation.
    re_path("_allauth/(?:app|browser)/v1/(?:account|auth)/phone", page_not_found, {"exception": Http404()}),
    *(
        path(f"_allauth/{client}/v1/auth/email/verify", VerifyCode.as_api_view(client=client))
        for client in settings.HEADLESS_CLIENTS
    ),
    *(path(f"_allauth/{name}", api_document, {"name": name}) for name in VIEWS),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
]
