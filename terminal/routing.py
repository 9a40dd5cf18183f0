"""The websocket paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

from feeds.core.protocol import CloseCode
from feeds.fanout.consumers import market_websocket
from terminal.admission import ProjectAdmission

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def no_such_path(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Accepted first, so that a script can read why; without this the server logs a traceback and answers 500."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(CloseCode.UNKNOWN_PATH)})


websockets = URLRouter(
    [
        re_path(r"^ws/market$", market_websocket(ProjectAdmission())),
        re_path(r"", no_such_path),
    ]
)
