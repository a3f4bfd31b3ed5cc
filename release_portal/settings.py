"""All settings, read from the environment; docs/configuration.md lists every variable.

Without any variable set this is the embedded portal: SQLite, its own Redis, mail to the console, everything under
PORTAL_HOME. PORTAL_ENV=production refuses to start with settings that would be unsafe.
"""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import structlog
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from release_portal.core.environment import Environment
from release_portal.core.home import KEY_PURPOSES, load_secrets, read_run

env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent

PORTAL_ENV = env.text("PORTAL_ENV", "embedded")
PRODUCTION = PORTAL_ENV == "production"
if PORTAL_ENV not in {"embedded", "production"}:
    raise ImproperlyConfigured(f"PORTAL_ENV is {PORTAL_ENV!r}; write embedded or production.")
PORTAL_HOME = env.path("PORTAL_HOME", BASE_DIR / ".portal")
PORT = env.integer("PORT", 8000, least=1)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
DEBUG = env.boolean("DEBUG", default=False)

_generated = {} if PRODUCTION else load_secrets(PORTAL_HOME)
SECRET_KEY = env.text("SECRET_KEY") or _generated.get("secret_key", "")
# Purpose -> "v2:<base64>,v1:<base64>", newest first. See docs/configuration.md for how to rotate them.
PORTAL_KEYS = {
    purpose: env.text(f"{purpose.upper()}_KEYS") or _generated.get(f"{purpose}_keys", "") for purpose in KEY_PURPOSES
}

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or [urlsplit(PUBLIC_URL).hostname or "localhost", "127.0.0.1", "localhost"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "release_portal.epochs",
    "release_portal.audit",
    "release_portal.accounts",
    "release_portal.notices",
    "release_portal.appeals",
    "release_portal.registry",
    "release_portal.evidence",
    "model_cards",
    "release_portal.releases",
    "release_portal.access",
    "release_portal.jobs",
    "release_portal.provenance",
    "release_portal.generation",
    "release_portal.batches",
    "release_portal.detection",
    "release_portal.moves",
    "release_portal.misuse",
    "release_portal.openai_api",
    "release_portal.api",
    "release_portal.ops",
    "release_portal.pages",
]

MIDDLEWARE = [
    "release_portal.pages.middleware.RequestContext",
    "release_portal.pages.direct.Security",
    "release_portal.pages.direct.ContentPolicy",
    "release_portal.pages.static_files.StaticFiles",
    "release_portal.pages.direct.Sessions",
    "release_portal.pages.direct.Common",
    "release_portal.pages.direct.Csrf",
    "release_portal.pages.direct.Authentication",
    "release_portal.pages.direct.Messages",
    "release_portal.pages.direct.Framing",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "release_portal.pages.middleware.PortalErrors",
]
# These look for Django's own names; pages/direct.py has the same middlewares.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]

ROOT_URLCONF = "release_portal.urls"
ASGI_APPLICATION = "release_portal.asgi.application"
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
                "release_portal.pages.context.page",
            ],
        },
    },
]

DATABASE_URL = env.text("DATABASE_URL") or f"sqlite:///{PORTAL_HOME / 'portal.sqlite3'}"
# A connection is kept by its thread; the web process has so many threads that ask the database (core/lanes.py).
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=300, conn_health_checks=True)}
WEB_LANES = env.integer("WEB_LANES", 16, least=1)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: read-then-write transactions fail between processes unless they start IMMEDIATE.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL") or read_run(PORTAL_HOME).get("redis_url", "redis://127.0.0.1:6379/0")
STORE_ROOT = env.path("STORE_ROOT", PORTAL_HOME / "store")
# What applicants attach; never below anything that is served as a file.
ATTACHMENT_ROOT = env.path("ATTACHMENT_ROOT", PORTAL_HOME / "attachments")
ATTACHMENT_MAX_BYTES = env.integer("ATTACHMENT_MAX_BYTES", 10_000_000, least=1_000)
# Files of requests that are worked off when nobody waits, and how many requests of one file run at once.
BATCH_MAX_BYTES = env.integer("BATCH_MAX_BYTES", 8_000_000, least=1_000)
BATCH_MAX_LINES = env.integer("BATCH_MAX_LINES", 1_000, least=1)
BATCH_IN_FLIGHT = env.integer("BATCH_IN_FLIGHT", 8, least=1)
# Tokens of prompt and completion that a worker holds for one request; the worker reads the same variable.
SERVED_CONTEXT = env.integer("INFERENCE_CONTEXT", 2048, least=64)
MODEL_CACHE = env.path("MODEL_CACHE", BASE_DIR / ".cache" / "models")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_USERNAME_BLACKLIST = ["admin", "system", "anonymous", "portal"]
ACCOUNT_EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "mandatory" if PRODUCTION else "optional")
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_ADAPTER = "release_portal.accounts.adapter.AccountAdapter"

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25, least=1)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=False)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Release portal <portal@localhost>")

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "/static/"
STATIC_ROOT = PORTAL_HOME / "static"
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "attachments": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": ATTACHMENT_ROOT,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Text fields are short; weights never arrive through a form.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("MAX_BODY_BYTES", 1_000_000, least=1_000)
# One file arrives where it is attached or handed in; it stays in memory, so that no disk holds it unsealed.
UPLOAD_MAX_BYTES = ATTACHMENT_MAX_BYTES + DATA_UPLOAD_MAX_MEMORY_SIZE
UPLOAD_PATHS = r"^/(api/)?(applications/[^/]+/attachments|grants/[^/]+/duties/[^/]+/hand_in)/$"
BATCH_UPLOAD_MAX_BYTES = BATCH_MAX_BYTES + DATA_UPLOAD_MAX_MEMORY_SIZE
BATCH_UPLOAD_PATHS = r"^/(v1/files|batches/)$"
FILE_UPLOAD_MAX_MEMORY_SIZE = max(UPLOAD_MAX_BYTES, BATCH_UPLOAD_MAX_BYTES)
DATA_UPLOAD_MAX_NUMBER_FILES = 5
CSRF_FAILURE_VIEW = "release_portal.pages.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = f"portal_session_{PORT}"  # two portals on one host do not sign each other out
CSRF_COOKIE_NAME = f"portal_csrf_{PORT}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=False)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.boolean("BEHIND_TLS_PROXY", default=False) else None
)
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

CELERY_BROKER_URL = REDIS_URL
METRICS_TOKEN = env.text("METRICS_TOKEN")
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "portal"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": "release_portal.api.auth.nobody",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Release portal",
    "VERSION": "1",
    "DESCRIPTION": "Gated release of language models: catalogue, access, jobs, cards, reports, detection.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_PATCH": False,  # a change names its expected version, so not everything is optional
    "SCHEMA_PATH_PREFIX": "/api",
    "POSTPROCESSING_HOOKS": ["release_portal.api.schema.close_inputs"],
}

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    cache_logger_on_first_use=True,
)


def _is_fault(log_record: logging.LogRecord) -> bool:
    return getattr(log_record, "status_code", 500) == 500


def _hides_link(log_record: logging.LogRecord) -> bool:
    """Take a link that was mailed out of the path of a fault: it is a secret."""
    match = getattr(getattr(log_record, "request", None), "resolver_match", None)
    token = match.kwargs.get("token", "") if match else ""
    if token and isinstance(log_record.args, tuple):
        log_record.args = tuple(str(one).replace(token, "...") for one in log_record.args)
    return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    # A refusal is an answer, not a fault: only real faults bring their trace.
    "filters": {
        "faults": {"()": "django.utils.log.CallbackFilter", "callback": _is_fault},
        "links": {"()": "django.utils.log.CallbackFilter", "callback": _hides_link},
    },
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["faults", "links"]},
        "httpx": {"level": "WARNING"},
    },
}


def unsafe_production_settings() -> list[str]:
    """Return a sentence for each setting that must not run in production."""
    secret_sources = [purpose for purpose, keys in PORTAL_KEYS.items() if not keys]
    problems = {
        "DEBUG is on; set DEBUG=0.": DEBUG,
        "SECRET_KEY is missing or shorter than 50 characters.": len(SECRET_KEY) < 50,
        "PUBLIC_URL must start with https://.": not PUBLIC_URL.startswith("https://"),
        "DATABASE_URL must name a PostgreSQL database.": not DATABASE_URL.startswith("postgres"),
        "REDIS_URL is missing.": not env.text("REDIS_URL"),
        "ALLOWED_HOSTS is missing or allows every host.": not env.words("ALLOWED_HOSTS") or "*" in ALLOWED_HOSTS,
        "EMAIL_BACKEND writes mail to the console.": "console" in EMAIL_BACKEND,
        f"Keys are missing: {', '.join(f'{name.upper()}_KEYS' for name in secret_sources)}.": bool(secret_sources),
    }
    return [sentence for sentence, is_unsafe in problems.items() if is_unsafe]


if PRODUCTION and (_problems := unsafe_production_settings()):
    raise ImproperlyConfigured("Unsafe production settings:\n- " + "\n- ".join(_problems))
