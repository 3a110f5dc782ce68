"""Settings of the backend, read from the environment or from `.env` beside manage.py.

docs/reference/settings.md lists the variables for operators. This module never uses the network.
"""

from __future__ import annotations

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from celery.schedules import crontab
from django.templatetags.static import static
from environs import Env, validate

from apps.core.telemetry.logs import FORMATS, logging_config

from .cloudinary_settings import read_cloudinary
from .email_settings import read_email
from .log_secrets import SECRET_FORMS
from .private_files import make_folder, restrict_data, restrict_sqlite, set_private_umask
from .secret_file import read_or_create_secret

BASE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_VAR_DIR = BASE_DIR.parent / "var"

env = Env()
env.read_env(os.environ.get("ADMIT_ENV_FILE", str(BASE_DIR / ".env")), recurse=False)
VAR_DIR = Path(env.str("ADMIT_VAR_DIR", "") or DEFAULT_VAR_DIR)
set_private_umask()

# -- Django ------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "")
SECRET_KEY_FILE = None if SECRET_KEY else VAR_DIR / "secret_key"  # the generated key of this machine
if SECRET_KEY_FILE is not None:
    SECRET_KEY = read_or_create_secret(
        SECRET_KEY_FILE,
        hint="Set SECRET_KEY in backend/.env, let this user write there, or restore the file from your backup. "
        "Delete it only if there is no backup: a new key invalidates all sessions, and all tickets signed before.",
    )
make_folder(VAR_DIR, is_ours=VAR_DIR == DEFAULT_VAR_DIR)
restrict_data(VAR_DIR)
PORT = env.int("PORT", 8000, validate=validate.Range(1, 65535))
PUBLIC_URL = env.str("PUBLIC_URL", "") or f"http://localhost:{PORT}"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [PUBLIC_URL])

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "apps.backoffice.site_config.BackOfficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "config",
    "apps.core",
    "apps.core.telemetry",
    "apps.accounts",
    "apps.mail",
    "apps.storage",
    "apps.events",
    "apps.publishing",
    "apps.checkin",
    "apps.wallets",
    "apps.webhooks",
    "apps.storage_checks",
    "apps.local_migration",
    "apps.api",
    "apps.monitoring",
    "apps.pages",
    "apps.backoffice",
    "apps.demo",
]

MIDDLEWARE = [
    "apps.core.telemetry.middleware.RequestMiddleware",
    "apps.core.telemetry.cookies.CookieMiddleware",
    "apps.api.middleware.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "csp.middleware.CSPMiddleware",
    "apps.pages.interstitial.InterstitialMiddleware",
]

# Ninja's files for the documentation of the API. It is not in INSTALLED_APPS, because then every process would import
# it, and it takes as long as Django itself.
NINJA = Path(find_spec("ninja").submodule_search_locations[0])  # type: ignore[union-attr,index] # it is installed

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", NINJA / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]  # only fully translated languages, else pages would mix two
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static", NINJA / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", "") or VAR_DIR / "static")
MEDIA_ROOT = Path(
    env.str("MEDIA_ROOT", "") or VAR_DIR / "media"
)  # for ticket files from before Cloudinary, and exported ones
MEDIA_URL = "media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.static_files.PublicStaticFilesStorage",
        # Readable for all: STATIC_ROOT may be outside the private folder, for another web server to serve.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# -- Database ----------------------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    database: dict[str, Any] = env.dj_db_url("DATABASE_URL", f"sqlite:///{quote(str(VAR_DIR / 'db.sqlite3'))}")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Writers wait up to 20 s for each other instead of failing, and never block readers. Commits are durable, so
        # that no sold ticket is lost in a power cut.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        restrict_sqlite(database["NAME"])
    else:
        database["CONN_MAX_AGE"] = 60  # seconds; connecting takes longer than all statements of a request
        database["CONN_HEALTH_CHECKS"] = True
    return database


DATABASES = {"default": _database()}

# For rate limits of the API and of signing in. The default counts in each process separately: with several processes
# or machines, set CACHE_URL=redis://... to share the counts.
CACHES = {"default": env.dj_cache_url("CACHE_URL", "locmem://")}

# -- Background work ---------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem://"):
    _broker = VAR_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(_broker / "messages"),
        "data_folder_out": str(_broker / "messages"),
        "control_folder": str(_broker / "control"),
        "polling_interval": 0.1,  # seconds; by default a worker notices a task only after up to a second
    }
    for _folder in ("messages", "control"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
else:
    # Requests send tasks after their commit. Fail fast if the broker is down; the sweep sends the task later.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5, "connect_timeout": 2}
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# Keep long tasks out of the interactive queue, for which users wait.
_in_bulk = {"options": {"queue": "bulk"}}
CELERY_BEAT_SCHEDULE = {
    "publish what is due": {"task": "apps.events.tasks.publish_due", "schedule": 15.0},
    "republish what changed": {"task": "apps.events.tasks.republish_changed", "schedule": 15.0, **_in_bulk},
    "notice changed events": {"task": "apps.events.tasks.notice_changes", "schedule": 60.0, **_in_bulk},
    "delete what is due": {"task": "apps.events.tasks.delete_due", "schedule": 15.0, **_in_bulk},
    "deliver webhooks that are due": {"task": "apps.webhooks.tasks.sweep", "schedule": 15.0},
    "send mail that is due": {"task": "apps.mail.tasks.sweep", "schedule": 15.0},
    "forget old webhooks": {
        "task": "apps.webhooks.tasks.forget_old",
        "schedule": crontab(hour=3, minute=37),
        **_in_bulk,
    },
    "sample the account's usage": {
        "task": "apps.events.tasks.sample_usage",
        "schedule": crontab(minute=23),
        **_in_bulk,
    },
    "forget old sessions": {
        "task": "apps.events.tasks.clear_sessions",
        "schedule": crontab(hour=3, minute=17),
        **_in_bulk,
    },
    "forget old lists": {
        "task": "apps.events.tasks.forget_issued_lists",
        "schedule": crontab(hour=3, minute=37),
        **_in_bulk,
    },
}

# -- Tickets and their files -------------------------------------------------------------------------------------

CLOUDLET_PORT = env.int("CLOUDLET_PORT", 9000, validate=validate.Range(1, 65535))
# Not named CLOUDINARY, because the SDK would read a setting of that name itself, and differently.
CLOUDINARY_ACCOUNT = read_cloudinary(env, cloudlet_port=CLOUDLET_PORT, cloudlet_data=VAR_DIR / "cloudlet")
CLOUDINARY_DELIVERY_TYPE = env.str(
    "CLOUDINARY_DELIVERY_TYPE", "authenticated", validate=validate.OneOf(["authenticated", "upload"])
)
TICKET_SIGNING_KEYS: dict[str, str] = env.dict(
    "TICKET_SIGNING_KEYS", {}
)  # key id -> base64 of 32 random bytes; the first one signs
TICKET_MAX_ATTEMPTS = env.int("TICKET_MAX_ATTEMPTS", 20)
# The highest number of concurrent storage calls of each process. It falls when Cloudinary is slow or fails.
TICKET_UPLOADS_IN_FLIGHT = env.int("TICKET_UPLOADS_IN_FLIGHT", 64, validate=validate.Range(1, 256))

# -- Passes for wallets ------------------------------------------------------------------------------------------

# File paths, except for the password, the id and the URL. A wallet is off while its settings are empty.
APPLE_WALLET_CERTIFICATE = env.str("APPLE_WALLET_CERTIFICATE", "")
APPLE_WALLET_KEY = env.str("APPLE_WALLET_KEY", "")
APPLE_WALLET_INTERMEDIATE = env.str("APPLE_WALLET_INTERMEDIATE", "")
APPLE_WALLET_KEY_PASSWORD = env.str("APPLE_WALLET_KEY_PASSWORD", "")
GOOGLE_WALLET_CREDENTIALS = env.str("GOOGLE_WALLET_CREDENTIALS", "")
GOOGLE_WALLET_ISSUER_ID = env.str("GOOGLE_WALLET_ISSUER_ID", "")
GOOGLE_WALLET_API_URL = env.str(
    "GOOGLE_WALLET_API_URL", "https://walletobjects.googleapis.com", validate=validate.URL(schemes={"https"})
)

# -- Webhooks ----------------------------------------------------------------------------------------------------

# Allow plain http and private addresses: for development on one machine only, never where others can sign in.
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", DEBUG)
WEBHOOK_IN_FLIGHT = env.int("WEBHOOK_IN_FLIGHT", 8, validate=validate.Range(1, 64))  # to one endpoint at a time
WEBHOOK_RETRY_HOURS = env.int("WEBHOOK_RETRY_HOURS", 72, validate=validate.Range(min=1))
WEBHOOK_KEEP_DAYS = env.int("WEBHOOK_KEEP_DAYS", 30, validate=validate.Range(min=1))

# -- The API -----------------------------------------------------------------------------------------------------

API_REQUESTS_A_MINUTE = {  # for each user
    "regenerate": env.int("API_REGENERATE_A_MINUTE", 30),
    "door": env.int("API_DOOR_A_MINUTE", 600),  # all devices that are signed in as one person together
}

# -- Signing in --------------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
HEADLESS_ADAPTER = "apps.accounts.adapter.HeadlessAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# Users see the tickets of their email address, so the address must be confirmed first.
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # unlike a link, a code can be entered in the app that requested it
ACCOUNT_PREVENT_ENUMERATION = True
HEADLESS_CLIENTS = ("app", "browser")
HEADLESS_SERVE_SPECIFICATION = True
HEADLESS_SPECIFICATION_TEMPLATE_NAME = None  # allauth's page of the specification loads third-party scripts

_email = read_email(env)
vars().update(_email)
MAIL_TRANSPORT: str = _email["MAIL_TRANSPORT"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "tickets@localhost")

# -- Security ----------------------------------------------------------------------------------------------------

_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", _https)
SECURE_SSL_HOST = urlsplit(PUBLIC_URL).netloc  # redirect to this host and port, not to those of the request
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # monitors call these directly over http, not through the TLS proxy
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if _https else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
# Behind a proxy, these headers are believed. Without one, any client could send them.
BEHIND_PROXY = env.bool("BEHIND_PROXY") if env.str("BEHIND_PROXY", "") else _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)  # else all users share the proxy's address, and its rate limit
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    # `backoffice/site.py` and `api/middleware.py` relax it for the back office and the API documentation.
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

# -- Monitoring --------------------------------------------------------------------------------------------------

HEARTBEAT_FILE = env.str("HEARTBEAT_FILE", "")  # touched by workers and beat; empty: not touched

METRICS_TOKEN = env.str("METRICS_TOKEN", "")  # without it, /metrics answers 404
# One folder for all processes of a machine or container. Containers must not share it.
_default_metrics_dir = VAR_DIR / "metrics" / socket.gethostname()
METRICS_DIR = Path(env.str("METRICS_DIR", "") or _default_metrics_dir)
make_folder(METRICS_DIR, is_ours=_default_metrics_dir == METRICS_DIR)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)  # read by prometheus_client when it opens a file

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=validate.OneOf(FORMATS))
# Context fields: those shown at the end of a text line, and those shown first in a JSON object.
LOG_LINE_CONTEXT = {"request_id": "request", "ticket_id": "ticket"}
LOG_CONTEXT = ["request_id", "ticket_id", "event_id", "task", "task_id", "worker"]
# Settings whose values are removed from the log, besides those of Django.
LOG_SECRET_SETTINGS = [
    "CLOUDINARY_ACCOUNT.api_secret",
    "APPLE_WALLET_KEY_PASSWORD",
    "TICKET_SIGNING_KEYS",
    "ANYMAIL_SECRETS",
]
LOG_SECRET_FORMS = SECRET_FORMS
LOGGING = logging_config(LOG_FORMAT, LOG_LEVEL)
LOGGING_CONFIG = "apps.core.telemetry.logs.configure"

# The paths that the system check of `private_files.py` looks at.
PRIVATE_PATHS = [VAR_DIR, METRICS_DIR]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    PRIVATE_PATHS.append(Path(DATABASES["default"]["NAME"]))

UNFOLD = {
    "SITE_TITLE": "Admit",
    "SITE_HEADER": "Admit",
    "SITE_SUBHEADER": "Tickets that arrive and scan",
    "SITE_SYMBOL": "confirmation_number",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("site/icon.svg")},
    ],
    "COLORS": {  # the pages' indigo
        "primary": {
            "50": "oklch(96.2% .018 272.3)",
            "100": "oklch(93% .034 272.8)",
            "200": "oklch(87% .065 274)",
            "300": "oklch(78.5% .115 274.7)",
            "400": "oklch(67.3% .182 276.9)",
            "500": "oklch(58.5% .233 277.1)",
            "600": "oklch(51.1% .262 277)",
            "700": "oklch(45.7% .24 277)",
            "800": "oklch(39.8% .195 277.4)",
            "900": "oklch(35.9% .144 278.7)",
            "950": "oklch(25.7% .09 281.3)",
        }
    },
}
