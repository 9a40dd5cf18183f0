"""What daphne and uvicorn serve: Django for HTTP, the market's websocket beside it."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "terminal.settings")
os.environ.setdefault("DATABASE_POOL_SIZE", "36")  # a request is a thread: without a pool each would connect anew
django.setup()  # before anything that uses its models is imported

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from feeds import pauses  # noqa: E402
from feeds.core import greeks  # noqa: E402
from rms.span_files import span_file  # noqa: E402
from terminal.checks import require_safe  # noqa: E402
from terminal.http import ThreadHandler  # noqa: E402
from terminal.order_door import OrderDoor  # noqa: E402
from terminal.routing import websockets  # noqa: E402

require_safe()  # no management command stands in front of this process to run the system checks
span_file()  # read before the first order asks for it, as the library of option prices
greeks.special()
get_resolver().url_patterns  # noqa: B018 - loads all views before somebody waits for one

application = ProtocolTypeRouter({"http": OrderDoor(ThreadHandler()), "websocket": websockets})
pauses.keep_short()
