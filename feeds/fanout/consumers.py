"""The browser's websocket `ws/market`: commands in, everything else is the hub's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

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
from feeds.fanout.hub import TopicsRefused, current_hub
from feeds.fanout.links import Link
from feeds.fanout.logins import Admission, Login
from feeds.offload import Overloaded

BAD_MESSAGES = 10
BAD_MESSAGES_SECONDS = 60.0
TRY_AGAIN_LATER = 1013

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def market_websocket(admission: Admission) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application of `ws/market`."""

    async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
        await MarketConsumer(admission, scope, send).converse(receive)

    return websocket


class MarketConsumer:
    """One browser. Takes one message after another and nothing between: Channels' consumer goes round the event loop
    for each, in which time the server reads sixty more."""

    def __init__(self, admission: Admission, scope: Scope, send: Send) -> None:
        self._hub = current_hub(admission)
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._send = send
        self._link = Link(send)
        now = clock.monotonic()
        self._commands = Allowance(settings.BROWSER_COMMANDS_PER_SECOND, 1.0, now)
        self._mistakes = Allowance(BAD_MESSAGES, BAD_MESSAGES_SECONDS, now)

    async def converse(self, receive: Receive) -> None:
        """Until either end goes."""
        await receive()  # websocket.connect
        login = await self._admitted()
        if login is None:
            return
        await self._send({"type": "websocket.accept"})
        browser = self._hub.attach(self._link, login)
        try:
            await browser.link.send(self._hub.welcome(browser))
            while (message := await receive())["type"] != "websocket.disconnect":
                await self._on_message(browser, message.get("text"))
        finally:
            self._hub.detach(browser)

    # --- the handshake

    async def _admitted(self) -> Login | None:
        """Who it is, when they may come in; None when the browser was told why not."""
        if not self._hub.origin_allowed(self._headers):
            await self._refuse_handshake()
            return None
        try:
            with self._link.not_reading():
                login = await self._hub.admit(self._headers)
        except Overloaded:
            await self._refuse_handshake()
        except DatabaseError:
            await self._accept_and_close(TRY_AGAIN_LATER)
        else:
            if login is None:
                await self._accept_and_close(CloseCode.SIGNED_OUT)
            elif self._hub.connections_of(login) >= settings.BROWSER_CLIENTS_PER_USER:
                await self._accept_and_close(CloseCode.TOO_MANY_CONNECTIONS)
            else:
                return login
        return None

    async def _refuse_handshake(self) -> None:
        """Before accepting, a close is HTTP 403."""
        await self._send({"type": "websocket.close", "code": int(CloseCode.BAD_ORIGIN)})

    async def _accept_and_close(self, code: int) -> None:
        """A browser's script can read the code only of a connection that was accepted."""
        await self._send({"type": "websocket.accept"})
        await self._link.close(code)

    # --- commands

    async def _on_message(self, browser: Browser, text: str | None) -> None:
        if browser.link.closed:
            return
        now = clock.monotonic()
        if not self._commands.take(now):
            browser.link.stop_reading()
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
            with browser.link.not_reading():
                await self._hub.subscribe(browser, command.topics)
        except TopicsRefused as refused:
            await browser.link.send(error_text(ErrorCode.NOT_FOUND, "no such topics", topics=refused.names))
        except (Overloaded, DatabaseError):
            message = "the database does not answer; subscribe again in a moment"
            await browser.link.send(error_text(ErrorCode.UNAVAILABLE, message, topics=command.topics))
        else:
            browser.rate = command.rate or browser.rate
