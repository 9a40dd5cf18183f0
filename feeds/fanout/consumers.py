"""The browser's websocket `ws/market`: commands in, everything else is the hub's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from feeds import clock
from feeds.core.protocol import (
    Acknowledge,
    Allowance,
    BadCommand,
    CloseCode,
    Command,
    ErrorCode,
    Ping,
    SetRate,
    Subscribe,
    Unsubscribe,
    error_text,
    parse_command,
    pong_text,
)
from feeds.fanout.browsers import Browser
from feeds.fanout.hub import Hub, TopicsRefused, current_hub
from feeds.fanout.links import Link
from feeds.fanout.logins import Admission, Login
from feeds.offload import Overloaded

BAD_MESSAGES = 10
BAD_MESSAGES_SECONDS = 60.0
TRY_AGAIN_LATER = 1013

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class MarketConsumer(AsyncConsumer):
    """One browser. It joins no channel layer, and its messages pass Channels' dispatch by: that waits for a thread
    which every database call in the process shares."""

    channel_layer_alias = None

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._hub: Hub
        self._browser: Browser | None = None
        now = clock.monotonic()
        self._commands = Allowance(settings.BROWSER_COMMANDS_PER_SECOND, 1.0, now)
        self._mistakes = Allowance(BAD_MESSAGES, BAD_MESSAGES_SECONDS, now)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._browser is not None:
                self._hub.detach(self._browser)

    async def dispatch(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.receive":
            await self._on_message(message.get("text"))
        elif message["type"] == "websocket.connect":
            await self._on_connect()
        elif message["type"] == "websocket.disconnect":
            raise StopConsumer

    # --- the handshake

    async def _on_connect(self) -> None:
        self._hub = current_hub(self._admission)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}
        if not self._hub.origin_allowed(headers):
            await self._refuse_handshake()
        try:
            login = await self._hub.admit(headers)
        except Overloaded:
            await self._refuse_handshake()
        except DatabaseError:
            await self._accept_and_close(TRY_AGAIN_LATER)
        if login is None:
            await self._accept_and_close(CloseCode.SIGNED_OUT)
        elif self._hub.connections_of(login) >= settings.BROWSER_CLIENTS_PER_USER:
            await self._accept_and_close(CloseCode.TOO_MANY_CONNECTIONS)
        else:
            await self._welcome(login)

    async def _refuse_handshake(self) -> None:
        """Before accepting, a close is HTTP 403."""
        await self.base_send({"type": "websocket.close", "code": int(CloseCode.BAD_ORIGIN)})
        raise StopConsumer

    async def _accept_and_close(self, code: int) -> None:
        """A browser's script can read the code only of a connection that was accepted."""
        await self.base_send({"type": "websocket.accept"})
        await Link(self.base_send).close(code)
        raise StopConsumer

    async def _welcome(self, login: Login) -> None:
        await self.base_send({"type": "websocket.accept"})
        self._browser = self._hub.attach(Link(self.base_send), login)
        await self._browser.link.send(self._hub.welcome(self._browser))

    # --- commands

    async def _on_message(self, text: str | None) -> None:
        browser = self._browser
        if browser is None or browser.link.closed:
            return
        now = clock.monotonic()
        if not self._commands.take(now):
            await self._hub.close(browser, CloseCode.TOO_MANY_COMMANDS)
            return
        try:
            command = parse_command(text or "", settings.BROWSER_MESSAGE_BYTES, settings.BROWSER_RATE_LIMIT)
        except BadCommand as error:
            await self._on_mistake(browser, str(error), now)
        else:
            await self._obey(browser, command, now)

    async def _on_mistake(self, browser: Browser, message: str, now: float) -> None:
        if self._mistakes.take(now):
            await browser.link.send(error_text(ErrorCode.BAD_MESSAGE, message))
        else:
            await self._hub.close(browser, CloseCode.BAD_MESSAGES)

    async def _obey(self, browser: Browser, command: Command, now: float) -> None:
        if isinstance(command, Acknowledge):
            browser.window.acknowledge(command.frame, now)
        elif isinstance(command, Subscribe):
            await self._subscribe(browser, command)
        elif isinstance(command, Unsubscribe):
            self._hub.unsubscribe(browser, command.topics)
        elif isinstance(command, SetRate):
            browser.rate = command.rate
        elif isinstance(command, Ping):
            await browser.link.send(pong_text(command.id, clock.wall_nanoseconds() // 1_000_000))

    async def _subscribe(self, browser: Browser, command: Subscribe) -> None:
        limit = settings.BROWSER_TOPICS_PER_CLIENT
        count = len({topic.name for topic in browser.topics} | set(command.topics))
        if count > limit:
            message = f"at most {limit} topics a connection"
            await browser.link.send(error_text(ErrorCode.TOO_MANY_TOPICS, message, limit=limit, wanted=count))
            return
        try:
            await self._hub.subscribe(browser, command.topics)
        except TopicsRefused as refused:
            await browser.link.send(error_text(ErrorCode.NOT_FOUND, "no such topics", topics=refused.names))
        except (Overloaded, DatabaseError):
            message = "the database does not answer; subscribe again in a moment"
            await browser.link.send(error_text(ErrorCode.UNAVAILABLE, message, topics=command.topics))
        else:
            browser.rate = command.rate or browser.rate
