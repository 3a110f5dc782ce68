from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path
from django.views.defaults import page_not_found

from apps.events.api.app import api

urlpatterns = [
    path("", include("apps.events.watching")),
    path("", include("apps.events.page_urls")),
    path("api/", api.urls),
    path("accounts/", include("allauth.urls")),
    # Nobody signs in by phone here, and allauth's views for it fail where nothing implements it.
    re_path("_allauth/(?:app|browser)/v1/(?:account|auth)/phone", page_not_found, {"exception": Http404()}),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
]
