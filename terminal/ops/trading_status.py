"""What the dashboard says of trading: the execution process in its own words, and what the books count."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, Sum
from redis import Redis

from feeds.bus import REDIS_ERRORS
from feeds.clock import exchange_now
from oms.core.order import OrderStatus
from oms.models import LIVE_VALUES, Order
from oms.process.status import read_status
from rms.models import Funds, FundsRequest, KillSwitch
from terminal.ops.positions import house_figures

SILENT_MILLISECONDS = 5_000
"""The process speaks each second; five missed ones are silence."""
READ_SECONDS = 2.0


def trading_status() -> dict[str, Any]:
    """Money in paise. `execution` is {"state": "DOWN"} when its process is silent.

    `unknown_outcomes` are orders that a broker has not told the end of: the paper venue always tells.
    """
    live = Order.objects.filter(status__in=LIVE_VALUES)
    unknown = Count("pk", filter=Q(status=OrderStatus.UNKNOWN))
    orders = live.aggregate(open=Count("pk"), unknown=unknown)
    margin = Funds.objects.aggregate(used=Sum("used_margin", default=0), held=Sum("held_margin", default=0))
    return {
        "execution": execution_status(),
        "open_orders": orders["open"],
        "unknown_outcomes": orders["unknown"],
        "house": house_figures()._asdict(),
        "margin": margin,
        "deficits": Funds.objects.filter(deficit=True).count(),
        "kill_switches": KillSwitch.objects.filter(released_at=None).count(),
        "house_stopped": house_switch() is not None,
        "waiting_funds": FundsRequest.objects.filter(state=FundsRequest.State.WAITING).count(),
    }


def house_switch() -> KillSwitch | None:
    """The switch that stops everybody, while it is engaged."""
    engaged = KillSwitch.objects.filter(account=None, user=None, released_at=None)
    return engaged.select_related("engaged_by").first()


def execution_status() -> dict[str, Any]:
    """The process' last words, unless they are old: Redis keeps them longer than they are true."""
    try:
        spoken = read_status(_redis(settings.REDIS_URL))
    except REDIS_ERRORS:
        return {"state": "DOWN"}
    now = exchange_now().timestamp() * 1000
    return spoken if spoken and now - spoken["at"] <= SILENT_MILLISECONDS else {"state": "DOWN"}


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=READ_SECONDS, socket_connect_timeout=READ_SECONDS)
