"""`manage.py runsimulator`: a Dhan on loopback. Needs no database and no Redis."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any, Literal, get_args, get_origin, get_type_hints

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from feeds.simulator.server import HOST, Simulator, SimulatorSettings
from feeds.simulator.switches import Limits, Unconfirmed

TOKEN_SECRET = "simulator_token"  # noqa: S105 the name of a file in DATA_DIR


class Command(BaseCommand):
    help = "Stand where Dhan stands: the live feed, REST quotes and the instrument master, with faults on command."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="0: a free one, printed.")
        parser.add_argument("--host", default=HOST, help="Faults are taken from loopback only, whatever this is.")
        parser.add_argument("--listing", choices=["spec", "exchange"], default="spec")
        parser.add_argument("--rate", type=float, default=8000.0, help="Packets a second over all connections.")
        parser.add_argument("--instrument-rate", type=float, default=5.0, help="The most for one instrument; 0: any.")
        parser.add_argument("--silent-share", type=float, default=0.0, help="Share of the options that never trade.")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--client-id", default=settings.SIMULATOR_CLIENT_ID)
        parser.add_argument("--token", default=settings.SIMULATOR_TOKEN, help="Default: the one kept in DATA_DIR.")
        parser.add_argument(
            "--switch", action="append", default=[], metavar="NAME=VALUE", help="See docs/simulator.md."
        )
        parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help="See docs/simulator.md.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = SimulatorSettings(
            host=options["host"],
            port=options["port"],
            listing=options["listing"],
            seed=options["seed"],
            rate=options["rate"],
            instrument_rate=options["instrument_rate"],
            silent_share=options["silent_share"],
            client_id=options["client_id"],
            token=options["token"] or settings.SECRETS.get_or_create(TOKEN_SECRET),
            limits=Limits(**_values(Limits, options["limit"])),
            switches=Unconfirmed(**_values(Unconfirmed, options["switch"])),
        )
        try:
            uvloop.run(self._serve(chosen))
        except OSError as error:
            raise CommandError(f"cannot listen on port {chosen.port}: {error.strerror}") from None

    async def _serve(self, chosen: SimulatorSettings) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with Simulator(chosen) as simulator:
            self.stdout.write(f"ready {simulator.url}")
            self.stdout.flush()
            await stopped.wait()


def _values(kind: type, pairs: list[str]) -> dict[str, Any]:
    """NAME=VALUE texts as arguments of a dataclass, each of its field's type.

    Raises:
        CommandError: no such name, or not such a value.
    """
    types = get_type_hints(kind)
    values = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in types:
            raise CommandError(f"{name!r} is none of {', '.join(types)}")
        try:
            values[name] = _value(text, types[name])
        except (ValueError, KeyError):
            raise CommandError(f"{name} cannot be {text!r}") from None
    return values


def _value(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return {choice: choice for choice in get_args(kind)}[text]
    return {"0": False, "1": True}[text] if kind is bool else kind(text)
