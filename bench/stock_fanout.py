"""The same job as stock Channels does it: one group a topic, `group_send` for each update, the handler sends."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "terminal.settings")
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402


class StockConsumer(AsyncWebsocketConsumer):
    """Joins the groups named in the query string, `?NIFTY.1,NIFTY.2`."""

    async def connect(self) -> None:
        await self.accept()
        for group in self.scope["query_string"].decode().split(","):
            await self.channel_layer.group_add(group, self.channel_name)
        await self.send(text_data='{"type":"welcome"}')

    async def topic_update(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


application = ProtocolTypeRouter({"websocket": StockConsumer.as_asgi()})
