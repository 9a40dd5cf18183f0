"""HTTP under ASGI: each request runs whole on one thread of a few, middleware and view together.

Django's own handler sends every middleware and every signal to a thread and back, some twenty hops a request: with a
busy event loop beside it each hop waits for the interpreter. Ours goes there once. No view here is asynchronous.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import close_old_connections
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

THREADS = 32
"""With the four of the websockets' database work as many as a web process has connections (DATABASE_POOL_SIZE)."""


class ThreadHandler(ASGIHandler):
    """Django's application for HTTP. What streams is sent as Django itself does."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="http")

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its body to its last byte."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        # A context of its own: a time zone or language that one request activates is not the next one's.
        run = copy_context().run
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._threads, run, self._respond, scope, body)
        try:
            await self.send_response(response, send)
        finally:
            if response.streaming:
                await sync_to_async(response.close)()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with ThreadSensitiveContext():  # costs nothing until something streams
            await self.handle(scope, receive, send)

    def _respond(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """On a thread: the signals, the middleware and the view. The connection goes back to the pool here."""
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, response = self.create_request(scope, body)
            if request is not None:
                response = self.get_response(request)
            response._handler_class = self.__class__
            if isinstance(response, FileResponse):
                response.block_size = self.chunk_size
            if response.streaming:
                close_old_connections()  # what streams is read on another thread, which closes its own
            else:
                response.close()
            return response
