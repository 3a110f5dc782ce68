from django.contrib import admin
from django.urls import include, path

from apps.events.api.app import api

urlpatterns = [
    path("", include("apps.events.watching")),
    path("", include("apps.events.page_urls")),
    path("api/", api.urls),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/", admin.site.urls),
]
