"""Every setting of the backend, read from the environment or from `.env` beside manage.py.

docs/reference/settings.md lists the variables for operators. Nothing here talks to the network.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from celery.schedules import crontab
from django.templatetags.static import static
from environs import Env, validate

from apps.core.telemetry.logs import FORMATS, logging_config

from .cloudinary_settings import read_cloudinary
from .email_settings import read_email
from .kept_secret import kept_secret
from .log_secrets import SECRET_FORMS
from .private_files import close_data, close_sqlite, deny_others, make_folder

BASE_DIR = Path(__file__).resolve().parent.parent
OWN_VAR_DIR = BASE_DIR.parent / "var"

env = Env()
env.read_env(os.environ.get("ADMIT_ENV_FILE", str(BASE_DIR / ".env")), recurse=False)
VAR_DIR = Path(env.str("ADMIT_VAR_DIR", "") or OWN_VAR_DIR)
deny_others()

# -- Django ------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "")
SECRET_KEY_FILE = None if SECRET_KEY else VAR_DIR / "secret_key"  # where this machine keeps one of its own
if SECRET_KEY_FILE is not None:
    SECRET_KEY = kept_secret(
        SECRET_KEY_FILE,
        otherwise="Set SECRET_KEY in backend/.env, let this user write there, or put the file back from your backup. "
        "Only if there is none, delete it: a new key voids sessions, and tickets whose codes the old one signed.",
    )
make_folder(VAR_DIR, is_ours=VAR_DIR == OWN_VAR_DIR)
close_data(VAR_DIR)
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
    "ninja",
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

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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
LANGUAGES = [("en", "English")]  # what is translated throughout; half a page in the browser's language helps nobody
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", "") or VAR_DIR / "static")
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", "") or VAR_DIR / "media")  # only ticket files from before Cloudinary live here
MEDIA_URL = "media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.static_files.PublicStaticFilesStorage",
        # Another server may serve them: STATIC_ROOT may lie outside of the private folder.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# -- Database ----------------------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    database: dict[str, Any] = env.dj_db_url("DATABASE_URL", f"sqlite:///{quote(str(VAR_DIR / 'db.sqlite3'))}")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # Writers queue for up to 20 s instead of failing, and readers are never blocked by them. A commit that returns
        # is on the disk: a ticket that was sold is there after a power cut.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        close_sqlite(database["NAME"])
    else:
        database["CONN_MAX_AGE"] = 60  # seconds; a connection costs more than all statements of a request
        database["CONN_HEALTH_CHECKS"] = True
    return database


DATABASES = {"default": _database()}

# Counts requests, for the limits of the API and of signing in. Processes count together only in a cache that they
# share: set CACHE_URL=redis://... where there are several.
CACHES = {"default": env.dj_cache_url("CACHE_URL", "locmem://")}

# -- Background work ---------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
if CELERY_BROKER_URL.startswith("filesystem://"):
    _broker = VAR_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": str(_broker / "messages"),
        "data_folder_out": str(_broker / "messages"),
        "control_folder": str(_broker / "control"),
    }
    for _folder in ("messages", "control"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
else:
    # Sending happens after a request's commit: a dead broker must cost it little, the sweep sends again.
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
# What may take long keeps out of the lane of those who wait.
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
# Not named CLOUDINARY: the SDK would read a setting of that name by itself, and differently.
CLOUDINARY_ACCOUNT = read_cloudinary(env, cloudlet_port=CLOUDLET_PORT, cloudlet_data=VAR_DIR / "cloudlet")
CLOUDINARY_DELIVERY_TYPE = env.str(
    "CLOUDINARY_DELIVERY_TYPE", "authenticated", validate=validate.OneOf(["authenticated", "upload"])
)
TICKET_SIGNING_KEYS: dict[str, str] = env.dict(
    "TICKET_SIGNING_KEYS", {}
)  # key id -> base64 of 32 random bytes; the first one signs
TICKET_MAX_ATTEMPTS = env.int("TICKET_MAX_ATTEMPTS", 20)
# Uploads, deletions and fetches at once, in each worker process, when Cloudinary is at ease; fewer when it isn't.
TICKET_UPLOADS_IN_FLIGHT = env.int("TICKET_UPLOADS_IN_FLIGHT", 64, validate=validate.Range(1, 256))

# -- Passes for wallets ------------------------------------------------------------------------------------------

# Paths of files, but for the password and the id; each wallet is off while its settings are empty.
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

# Plain http and addresses inside this network: for trying things out on one machine, and never where others sign in.
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", DEBUG)
WEBHOOK_IN_FLIGHT = env.int("WEBHOOK_IN_FLIGHT", 8, validate=validate.Range(1, 64))  # to one endpoint at a time
WEBHOOK_RETRY_HOURS = env.int("WEBHOOK_RETRY_HOURS", 72, validate=validate.Range(min=1))
WEBHOOK_KEEP_DAYS = env.int("WEBHOOK_KEEP_DAYS", 30, validate=validate.Range(min=1))

# -- The API -----------------------------------------------------------------------------------------------------

API_REQUESTS_A_MINUTE = {  # of one person
    "regenerate": env.int("API_REGENERATE_A_MINUTE", 30),
    "door": env.int("API_DOOR_A_MINUTE", 600),  # all scanners that are signed in as one person together
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
# A ticket is found by its holder's confirmed address, so an address must be confirmed before it counts.
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # a code can be typed into the app that asked for it; a link can't
ACCOUNT_PREVENT_ENUMERATION = True
HEADLESS_CLIENTS = ("app", "browser")
HEADLESS_SERVE_SPECIFICATION = True
HEADLESS_SPECIFICATION_TEMPLATE_NAME = None  # allauth's page about it loads scripts from elsewhere

_email = read_email(env)
vars().update(_email)
MAIL_TRANSPORT: str = _email["MAIL_TRANSPORT"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "tickets@localhost")

# -- Security ----------------------------------------------------------------------------------------------------

_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", _https)
SECURE_SSL_HOST = urlsplit(PUBLIC_URL).netloc  # not the host and port of the request
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]  # monitors ask from within, past the proxy with the certificate
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000 if _https else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
# Behind a proxy, these headers are believed. Without one, any client could send them.
BEHIND_PROXY = env.bool("BEHIND_PROXY") if env.str("BEHIND_PROXY", "") else _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)  # else all people share the proxy's address, and its limits on sign-ins
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    # The back office and the API's documentation loosen it for their pages: `backoffice/site.py`, `api/middleware.py`.
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

# -- Watching ----------------------------------------------------------------------------------------------------

HEARTBEAT_FILE = env.str("HEARTBEAT_FILE", "")  # workers and beat touch it; empty: they don't

METRICS_TOKEN = env.str("METRICS_TOKEN", "")  # without one, /metrics does not exist
# One folder for all processes of this machine, or of this container: they are told apart by their process ids.
_own_metrics = VAR_DIR / "metrics" / socket.gethostname()
METRICS_DIR = Path(env.str("METRICS_DIR", "") or _own_metrics)
make_folder(METRICS_DIR, is_ours=_own_metrics == METRICS_DIR)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)  # prometheus_client reads it when it opens a file

LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=validate.OneOf(FORMATS))
# Of what the lines are about: what stands behind a line of text, and what stands first in a JSON object.
LOG_LINE_CONTEXT = {"request_id": "request", "ticket_id": "ticket"}
LOG_CONTEXT = ["request_id", "ticket_id", "event_id", "task", "task_id", "worker"]
# Whose values no line shows, besides those of Django itself.
LOG_SECRET_SETTINGS = [
    "CLOUDINARY_ACCOUNT.api_secret",
    "APPLE_WALLET_KEY_PASSWORD",
    "TICKET_SIGNING_KEYS",
    "ANYMAIL_SECRETS",
]
LOG_SECRET_FORMS = SECRET_FORMS
LOGGING = logging_config(LOG_FORMAT, LOG_LEVEL)
LOGGING_CONFIG = "apps.core.telemetry.logs.configure"

# What the check of `private_files.py` looks at.
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
