"""All settings, and the only reader of the environment. A bad value stops the process and says which.

Nothing here starts a server: without DATABASE_URL and REDIS_URL the defaults point at the embedded
PostgreSQL and Valkey that `manage.py up` keeps under DATA_DIR (terminal/embedded.py).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from terminal import datadir

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str, default: bool) -> bool:
    value = env(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}")
    return value in {"1", "true", "yes"}


def env_number(name: str, default: float, minimum: float = 0.0) -> float:
    try:
        number = float(env(name, str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number") from None
    if not number >= minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}")
    return number


def env_integer(name: str, default: int, minimum: int = 0) -> int:
    number = env_number(name, default, minimum)
    if number != int(number):
        raise ImproperlyConfigured(f"{name} must be a whole number")
    return int(number)


def env_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in env(name, default).split(",") if item.strip()]


# --- where data lives -------------------------------------------------------------------------

DATA_DIR = Path(env("DATA_DIR") or BASE_DIR / ".data")
SECRETS = datadir.Secrets(DATA_DIR)

# --- Django -----------------------------------------------------------------------------------

DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env("SECRET_KEY") or SECRETS.get_or_create("secret_key")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PUBLIC_ORIGINS = env_list("PUBLIC_ORIGINS")
"""Full origins (https://desk.example.in) that may open the websocket and post forms. On a laptop the
page's own origin is enough: see feeds.fanout.consumers."""
CSRF_TRUSTED_ORIGINS = PUBLIC_ORIGINS
DEMO = env_bool("DEMO", False)
"""The demo users exist. A system check refuses this off loopback."""

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "terminal.ops.apps.OpsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "csp",
    "django_structlog",
    "terminal",
    "terminal.accounts",
    "terminal.ops",
    "feeds",
    "watchlists",
    "rms",
    "oms",
    "alerts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "csp.middleware.CSPMiddleware",
    "terminal.ops.headers.PathHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "terminal.urls"
ASGI_APPLICATION = "terminal.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "terminal" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en-in"
FORMAT_MODULE_PATH = ["terminal.formats"]
TIME_ZONE = "Asia/Kolkata"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

# --- PostgreSQL -------------------------------------------------------------------------------

DATABASE_POOL_SIZE = env_integer("DATABASE_POOL_SIZE", 0)
"""Connections that the threads of one process share; 0: each opens its own. A web process has 36 (terminal/asgi.py)."""
DATABASE_KEEPS_PLANS = env_bool("DATABASE_KEEPS_PLANS", True)
"""Statements are prepared (feeds/statements.py). Not behind a pooler that gives a connection to somebody else at each
transaction (pgbouncer's transaction mode)."""
POOL_WAIT_SECONDS = 5.0
SESSION_OPTIONS = (
    "-c statement_timeout=30000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
    # What is prepared goes by keys: a plan for these values is no better, and costs as much as the work.
    " -c plan_cache_mode=force_generic_plan"
)


def connection_pool(size: int) -> dict[str, object]:
    """The OPTIONS that make Django take its connections from a pool."""
    if not size:
        return {}
    return {"pool": {"min_size": 2, "max_size": size, "timeout": POOL_WAIT_SECONDS}}


def database(url: str) -> dict[str, object]:
    """A Django database entry from postgresql://user:password@host:port/name; host may be a socket folder.

    Raises:
        ImproperlyConfigured: it is not PostgreSQL (no second engine is supported).
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://")
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or query.get("port", "")),
        # A persistent connection leaks under ASGI (one for each thread that ever served): only a pool keeps any.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **connection_pool(DATABASE_POOL_SIZE),
            "connect_timeout": 5,
            "options": SESSION_OPTIONS,
        },
    }


DATABASE_URL = env("DATABASE_URL") or datadir.embedded_database_url(DATA_DIR)
DATABASES = {"default": database(DATABASE_URL)}

# --- Redis or Valkey --------------------------------------------------------------------------

REDIS_URL = env("REDIS_URL") or datadir.embedded_redis_url(DATA_DIR)
REDIS_SOCKET_TIMEOUT_SECONDS = 30.0
"""redis-py 8 defaults to 5 s, the same as channels_redis' blocking read: an idle consumer would die."""
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": REDIS_SOCKET_TIMEOUT_SECONDS}],
            "group_expiry": 300,
            "capacity": 1000,
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}

# --- Celery -----------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL if not REDIS_URL.startswith("unix://") else "redis+socket://" + REDIS_URL[7:]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- people -----------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/admin/login/"
SESSION_COOKIE_AGE = env_integer("SESSION_SECONDS", 12 * 3600, 60)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
HTTPS = env_bool("HTTPS", False)
"""TLS ends in front of this process: cookies become Secure and HSTS is sent."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_bool("BEHIND_PROXY", False) else None
NUM_PROXIES = 1 if env_bool("BEHIND_PROXY", False) else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = env_integer("LOGIN_FAILURE_LIMIT", 5, 1)
AXES_COOLOFF_TIME = env_number("LOGIN_LOCKOUT_HOURS", 0.25)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
"""By user and address together, so that a stranger cannot lock a trader out."""
AXES_RESET_ON_SUCCESS = True
AXES_IPWARE_PROXY_COUNT = NUM_PROXIES or None

AXES_LOCKOUT_CALLABLE = "terminal.ops.login.locked_out"
if HTTPS:  # the prefix makes browsers refuse these cookies from subdomains and from plain http
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"

# --- content security policy: strict everywhere, looser only where a library needs it --------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
CSP_BY_PREFIX = {
    # unfold's Alpine evaluates attributes, and its theme colours are an inline style
    "/admin/": {"script-src": ["'self'", "'unsafe-eval'"], "style-src": ["'self'", "'unsafe-inline'"]},
    # Swagger UI sets styles on its elements
    "/api/v2/docs": {"style-src": ["'self'", "'unsafe-inline'"]},
}

# --- admin: its look, its menu ---------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Broking Terminal",
    "SITE_HEADER": "Broking Terminal",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "candlestick_chart",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "terminal.ops.menu.favicon"}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "terminal.ops.menu.environment",
    "DASHBOARD_CALLBACK": "terminal.ops.views.dashboard_context",
    "LOGIN": {"form": "terminal.ops.login.LoginForm"},
    "STYLES": ["terminal.ops.menu.stylesheet"],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.0% .014 236)",
            "100": "oklch(93.5% .030 236)",
            "200": "oklch(88.0% .058 236)",
            "300": "oklch(80.5% .098 236)",
            "400": "oklch(71.5% .135 240)",
            "500": "oklch(62.5% .150 245)",
            "600": "oklch(54.0% .150 249)",
            "700": "oklch(46.5% .130 251)",
            "800": "oklch(40.5% .108 252)",
            "900": "oklch(35.5% .085 253)",
            "950": "oklch(26.0% .060 255)",
        }
    },
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": "terminal.ops.menu.navigation"},
}

# --- REST -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "terminal.accounts.authentication.SessionAuthentication",
        "terminal.accounts.authentication.ApiTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["terminal.parsing.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "terminal.pagination.Pages",
    "DEFAULT_THROTTLE_CLASSES": ["terminal.throttling.AtomicThrottle"],
    "EXCEPTION_HANDLER": "terminal.errors.handle",
    "NUM_PROXIES": NUM_PROXIES,
    "PAGE_SIZE": 50,
}
OTP_TOTP_ISSUER = "Broking Terminal"  # what an authenticator shows beside the user's name
REST_RATE_PER_MINUTE = env_integer("REST_RATE_PER_MINUTE", 600, 1)
LOGIN_RATE_PER_MINUTE = env_integer("LOGIN_RATE_PER_MINUTE", 20, 1)
SPECTACULAR_SETTINGS = {
    "TITLE": "Broking Terminal data server",
    "DESCRIPTION": (
        "Sign in with `POST /api/v2/session` (a browser: the session cookie, and `X-CSRFToken` with every change), "
        "or send `Authorization: Token btt_...` (a program). Money is text in rupees, times are in +05:30, instruments "
        "are written `NSE_FNO.49081`. Every error is `{code, message, details}`. Live prices come by the websocket "
        "`/ws/market`."
    ),
    "VERSION": "2.0.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "DEFAULT_GENERATOR_CLASS": "terminal.openapi.KeptSchema",
    "SCHEMA_PATH_PREFIX": "/api/v2",
    "ENUM_NAME_OVERRIDES": {
        "ProductEnum": "rms.serializers.PRODUCTS",
        "SourceEnum": "oms.serializers.ALL_SOURCES",
        "CallerEnum": "oms.serializers.SOURCES",
        "OrderTypeEnum": "oms.serializers.ORDER_TYPES",
        "ValidityEnum": "oms.serializers.VALIDITIES",
        "OrderStatusEnum": "oms.serializers.STATUSES",
        "AlertDirectionEnum": "alerts.serializers.DIRECTIONS",
        "AlertStatusEnum": "alerts.models.Alert.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "terminal.openapi.add_errors",
    ],
}

# --- clocks and calendar ----------------------------------------------------------------------

EXCHANGE_CLOCK_OFFSET_SECONDS = env_number(
    "EXCHANGE_CLOCK_OFFSET_SECONDS", datadir.clock_offset(DATA_DIR), minimum=-(10**10)
)
"""Exchange time minus real time; only `up` and the tests shift it, and never beside a real Dhan URL."""
EOD_TIER_A_AT = env("EOD_TIER_A_AT")
"""HH:MM releases Tier A of every segment at that time; empty: at each segment's own close."""
PRE_OPEN_REBUILD_AT = env("PRE_OPEN_REBUILD_AT", "08:15")

# --- Dhan, or the simulator in its place --------------------------------------------------------

DHAN_FEED_URL = env("DHAN_FEED_URL") or datadir.dhan_url(DATA_DIR, "DHAN_FEED_URL", "wss://api-feed.dhan.co")
DHAN_REST_URL = env("DHAN_REST_URL") or datadir.dhan_url(DATA_DIR, "DHAN_REST_URL", "https://api.dhan.co/v2")
DHAN_MASTER_URL = env("DHAN_MASTER_URL") or datadir.dhan_url(
    DATA_DIR, "DHAN_MASTER_URL", "https://images.dhan.co/api-data/api-scrip-master-detailed.csv"
)
DHAN_DEPTH_URL = env("DHAN_DEPTH_URL") or datadir.dhan_url(
    DATA_DIR, "DHAN_DEPTH_URL", "wss://depth-api-feed.dhan.co/twentydepth"
)
DHAN_QUOTE_SPACING_SECONDS = env_number("DHAN_QUOTE_SPACING_SECONDS", 1.1)
"""Dhan allows one quote request a second, and requests do not take equally long to arrive. Only a simulator that was
told to allow more may be asked faster."""
MASTER_MINIMUM_SHARE = env_number("MASTER_MINIMUM_SHARE", 0.7)
"""A new master with fewer rows than this share of what is listed looks cut, and changes nothing."""
SIMULATOR_CLIENT_ID = env("SIMULATOR_CLIENT_ID", "1000000001")
SIMULATOR_TOKEN = env("SIMULATOR_TOKEN")
"""The access token that runsimulator accepts. Empty: the one kept under DATA_DIR, generated at the first start."""
CREDENTIAL_KEYS = env("CREDENTIAL_KEYS")
"""id:base64key[,id:base64key...]; the first encrypts, all decrypt. Empty: one generated under DATA_DIR."""

# --- limits of one Dhan account (dhan-api: five websockets of 5,000, 100 a message) ----------------

FEED_CONNECTIONS = env_integer("FEED_CONNECTIONS", 5, 1)
DEPTH_TWENTY = env_bool("DEPTH_TWENTY", False)
"""A further socket for twenty levels of what is open on a screen. Users report that it counts against the same five."""
if DEPTH_TWENTY and FEED_CONNECTIONS > 4:
    raise ImproperlyConfigured("DEPTH_TWENTY=1 needs a connection of its own: set FEED_CONNECTIONS=4 or fewer")
FEED_INSTRUMENTS_PER_CONNECTION = env_integer("FEED_INSTRUMENTS_PER_CONNECTION", 5000, 1)
FEED_INSTRUMENTS_PER_MESSAGE = env_integer("FEED_INSTRUMENTS_PER_MESSAGE", 100, 1)
FEED_INSTRUMENTS_TOTAL = env_integer("FEED_INSTRUMENTS_TOTAL", FEED_CONNECTIONS * FEED_INSTRUMENTS_PER_CONNECTION, 1)
FEED_SPREAD_LIMIT = env_integer("FEED_SPREAD_LIMIT", 10, 1)

# --- timers of the feed, in seconds. Every one is a setting, so that the fault tests can shorten them
# --- together (FEED_TIME_SCALE multiplies them all and keeps their ratios).

FEED_TIME_SCALE = env_number("FEED_TIME_SCALE", 1.0, 0.001)


SCALED_TIMERS: list[str] = []
"""The names of these timers, for the fault tests to shorten all of them, and none forgotten."""


def timer(name: str, seconds: float) -> float:
    SCALED_TIMERS.append(name)
    return env_number(name, seconds) * FEED_TIME_SCALE


FEED_FLUSH_SECONDS = env_number("FEED_FLUSH_SECONDS", 0.1, 0.005)
FEED_SYNC_SECONDS = env_number("FEED_SYNC_SECONDS", 1.0, 0.05)
FEED_OPENING_SPACING_SECONDS = timer("FEED_OPENING_SPACING_SECONDS", 0.25)
"""Between a process's first dials, while none has failed: all five stand within the seconds that a restart may take."""
FEED_DIAL_SPACING_SECONDS = timer("FEED_DIAL_SPACING_SECONDS", 2.0)
FEED_BACKOFF_FIRST_SECONDS = timer("FEED_BACKOFF_FIRST_SECONDS", 0.25)
FEED_BACKOFF_LIMIT_SECONDS = timer("FEED_BACKOFF_LIMIT_SECONDS", 30.0)
FEED_BACKOFF_THROTTLED_SECONDS = timer("FEED_BACKOFF_THROTTLED_SECONDS", 60.0)
FEED_BACKOFF_THROTTLED_LIMIT_SECONDS = timer("FEED_BACKOFF_THROTTLED_LIMIT_SECONDS", 300.0)
FEED_BACKOFF_CROWDED_SECONDS = timer("FEED_BACKOFF_CROWDED_SECONDS", 30.0)
"""After 805. We notice silence after 15 s, and Dhan drops what it has not heard for 40 s: then there is room again."""
FEED_HEALTHY_AFTER_SECONDS = timer("FEED_HEALTHY_AFTER_SECONDS", 60.0)
FEED_STALE_AFTER_SECONDS = timer("FEED_STALE_AFTER_SECONDS", 4.0)
FEED_SILENCE_RECONNECT_SECONDS = timer("FEED_SILENCE_RECONNECT_SECONDS", 15.0)
FEED_PING_SECONDS = timer("FEED_PING_SECONDS", 10.0)
FEED_PONG_TIMEOUT_SECONDS = timer("FEED_PONG_TIMEOUT_SECONDS", 10.0)
FEED_HANDSHAKE_TIMEOUT_SECONDS = timer("FEED_HANDSHAKE_TIMEOUT_SECONDS", 10.0)
FEED_FIRST_PACKET_SECONDS = timer("FEED_FIRST_PACKET_SECONDS", 10.0)
FEED_FIRST_PACKET_RESENDS = env_integer("FEED_FIRST_PACKET_RESENDS", 2)
FEED_INSTRUMENT_STALE_SECONDS = timer("FEED_INSTRUMENT_STALE_SECONDS", 60.0)
FEED_BAD_PACKETS_SECONDS = timer("FEED_BAD_PACKETS_SECONDS", 10.0)
FEED_HEARTBEAT_SECONDS = timer("FEED_HEARTBEAT_SECONDS", 1.0)
FEED_STATUS_SECONDS = timer("FEED_STATUS_SECONDS", 1.0)
LEASE_SECONDS = timer("LEASE_SECONDS", 3.0)
LEASE_RENEW_SECONDS = timer("LEASE_RENEW_SECONDS", 1.0)
JOB_CLAIM_SECONDS = timer("JOB_CLAIM_SECONDS", 60.0)
JOB_MASTER_CLAIM_SECONDS = timer("JOB_MASTER_CLAIM_SECONDS", 600.0)
JOB_RETRY_SECONDS = timer("JOB_RETRY_SECONDS", 15.0)

# --- fan-out ------------------------------------------------------------------------------------

BROWSER_RATE_LIMIT = env_integer("BROWSER_RATE_LIMIT", 10, 1)
BROWSER_UNACKED_FRAMES = env_integer("BROWSER_UNACKED_FRAMES", 256, 1)
BROWSER_UNACKED_BYTES = env_integer("BROWSER_UNACKED_BYTES", 1_048_576, 1024)
BROWSER_SILENT_SECONDS = env_number("BROWSER_SILENT_SECONDS", 8.0, 0.1)
"""Closed this long after the oldest frame not acknowledged, and cut a second later: gone within ten."""
BROWSER_HEARTBEAT_SECONDS = env_number("BROWSER_HEARTBEAT_SECONDS", 2.0, 0.1)
BROWSER_TOPICS_PER_CLIENT = env_integer("BROWSER_TOPICS_PER_CLIENT", 500, 1)
BROWSER_CLIENTS_PER_USER = env_integer("BROWSER_CLIENTS_PER_USER", 100, 1)
BROWSER_MESSAGE_BYTES = env_integer("BROWSER_MESSAGE_BYTES", 65_536, 1024)
BROWSER_COMMANDS_PER_SECOND = env_integer("BROWSER_COMMANDS_PER_SECOND", 50, 1)
TIER_A_ITEMS_PER_USER = env_integer("TIER_A_ITEMS_PER_USER", 0)
"""0: no limit beside the capacity."""

# --- alerts -----------------------------------------------------------------------------------------

ALERTS_PER_USER = env_integer("ALERTS_PER_USER", 100, 1)
"""Active and paused ones; each active one takes a subscription where nobody else wants its instrument."""
ALERT_QUIET_SECONDS = env_number("ALERT_QUIET_SECONDS", 5.0)
"""A repeating alert tells at most this often of a price that dances around its level."""

# --- trading ----------------------------------------------------------------------------------------

ORDER_INTAKE_SECONDS = env_number("ORDER_INTAKE_SECONDS", 0.01)
"""From one transaction of a web process's order intake to the next: what comes meanwhile shares it. 0: never wait."""
EXECUTION_SWEEP_SECONDS = timer("EXECUTION_SWEEP_SECONDS", 0.5)
"""How often the execution process looks for what the bell did not tell."""
EXECUTION_STEP_SECONDS = env_number("EXECUTION_STEP_SECONDS", 0.025)
"""From one step that wrote something to the next: what comes meanwhile shares a transaction. 0: never wait."""
EXECUTION_STALE_SECONDS = timer("EXECUTION_STALE_SECONDS", 5.0)
"""A price older than this fills nothing and refuses a market order."""
RISK_WATCH_SECONDS = timer("RISK_WATCH_SECONDS", 1.0)
"""How often positions are marked and daily losses looked at."""
HELD_INSTRUMENTS_SECONDS = timer("HELD_INSTRUMENTS_SECONDS", 5.0)
"""How often instruments without an open order or position are let go."""
FAILPOINTS = env("FAILPOINTS")
"""A folder: a process kills itself at a failpoint whose name is a file there. Only beside demo users."""
ORDERS_PER_SECOND = env_integer("ORDERS_PER_SECOND", 10, 1)
"""An account's new, changed and cancelled orders in any second on one segment (NSE/INVG/67858)."""
FUNDS_APPROVAL_RUPEES = env_integer("FUNDS_APPROVAL_RUPEES", 500_000)
"""Paying in or out more than this needs a second person."""
MARGIN_RISK_FREE_PERCENT = env_number("MARGIN_RISK_FREE_PERCENT", 5.34)
SPAN_FILE = env("SPAN_FILE")
"""A real .spn file, zipped or not: its parameters then replace the approximation for what it lists."""
STAMP_ROUNDING = env("STAMP_ROUNDING", "RUPEE")
"""RUPEE as Dhan's page says, or PAISA as one real contract note shows."""
SQUARE_OFF_AT = {
    "EQUITY_DERIVATIVES": env("SQUARE_OFF_DERIVATIVES_AT", "15:20"),
    "CASH": env("SQUARE_OFF_CASH_AT", "15:20"),
    "CASH_WITH_DERIVATIVES": env("SQUARE_OFF_CASH_WITH_DERIVATIVES_AT", "15:20"),
    "CASH_WITH_DERIVATIVES_AUCTION": env("SQUARE_OFF_CASH_WITH_DERIVATIVES_AUCTION_AT", "15:10"),
}
"""Unconfirmed with Dhan, whose page predates the closing auction. The last: days on which these shares close in one."""
SQUARE_OFF_MCX_MINUTES_BEFORE_CLOSE = env_integer("SQUARE_OFF_MCX_MINUTES_BEFORE_CLOSE", 15, 1)

# --- analytics --------------------------------------------------------------------------------------

ANALYTICS_SECONDS = timer("ANALYTICS_SECONDS", 1.0)
"""How often the chains that changed are computed again and told."""
ANALYTICS_RATE_PERCENT = env_number("ANALYTICS_RATE_PERCENT", 5.34)
ANALYTICS_RATE_DATE = env("ANALYTICS_RATE_DATE", "2026-02-04")
"""The cut-off yield of the 91-day treasury bill, and the day of its auction: both are told with every figure."""
IV_RANK_DAYS = env_integer("IV_RANK_DAYS", 240, 2)
"""Of the 247 or so trading days of the year before, those whose volatility must be known for an IV rank."""
CANDLE_GRACE_SECONDS = env_number("CANDLE_GRACE_SECONDS", 5.0, 0.1)
"""How long after its end a minute waits for ticks that are still under way, before it is written."""
CANDLE_DAYS_TIER_A = env_integer("CANDLE_DAYS_TIER_A", 10, 1)
CANDLE_DAYS_TIER_B = env_integer("CANDLE_DAYS_TIER_B", 250, 1)
"""Trading days that one-minute candles are kept."""
HISTORY_WAIT_SECONDS = env_number("HISTORY_WAIT_SECONDS", 0.7, 0.0)
"""How long a chart waits for bars that Dhan has to be asked for; without them it is answered that they are pending."""

# --- logs -----------------------------------------------------------------------------------------

LOG_LEVEL = env("LOG_LEVEL", "INFO")
LOG_FORMAT = env("LOG_FORMAT", "LINE").upper()
"""LINE for people, JSON for machines."""
if LOG_FORMAT not in {"LINE", "JSON"}:
    raise ImproperlyConfigured("LOG_FORMAT must be LINE or JSON")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"structured": {"()": "terminal.logs.formatter", "form": LOG_FORMAT}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "django.request": {"level": "CRITICAL"},  # the line about each request says it, with its id
    },
}
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_STATUS_5XX_LOG_LEVEL = logging.WARNING  # what nobody foresaw has its own line, request_failed
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it believes any X-Forwarded-For; terminal/request_logs.py does not
DJANGO_STRUCTLOG_USER_ID_FIELD = ""  # asking who it was would read the session of requests that need none
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = NUM_PROXIES > 0  # our own proxy's, and nobody else's

# --- watching from outside ------------------------------------------------------------------------

METRICS_TOKEN = env("METRICS_TOKEN")
"""What Prometheus sends as `Authorization: Bearer ...` for /metrics. Empty: only this machine itself may ask."""
SENTRY_DSN = env("SENTRY_DSN")
"""Where errors are reported, without names, bodies, variables or secrets. Empty: nowhere."""
