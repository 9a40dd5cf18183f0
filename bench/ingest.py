"""100,000 packets a second over five connections: exact, and within its memory? `python -m bench.ingest`.

A child process sends at the asked rate and knows the truth; this process runs five of the product's connections on one
board and cuts it every 100 ms, as the feed process does. The peer receives the same with the websockets library,
unpacks each packet with a compiled struct and keeps it in a dict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from struct import Struct
from time import monotonic, perf_counter, process_time, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import loopback, machine

loopback.prepare_settings()

from websockets.asyncio.client import connect  # noqa: E402

from feeds import clock  # noqa: E402
from feeds.core.board import Board  # noqa: E402
from feeds.dhan.connection import Connection, ConnectionTimers  # noqa: E402
from feeds.dhan.governor import Credentials, DialRules, DialTimers, Governor  # noqa: E402

CONNECTIONS = 5
PER_CONNECTION = 5_000
STEP_SECONDS = 0.01
FLUSH_SECONDS = 0.1
WARM_UP_SHARE = 0.2
MEGABYTE = 1 << 20
DRAIN_SECONDS = 20.0
"""How long the last packets may take to arrive after the sender has finished."""

FULL_STRUCT = Struct("<BHBIfHIfIIIIIIffff" + "IIHHff" * 5)


def milliseconds() -> int:
    """A clock that both processes share, small enough for a 32-bit field."""
    return int(monotonic() * 1000) & 0xFFFFFFFF


def send(pipe: Pipe, rate: int, seconds: float, started: int) -> None:
    """In the child: five clients; at "go", `rate` packets a second in all, then the truth.

    `total_buy_quantity` carries the moment of sending, so that the receiver can tell the lag.
    """
    listener = loopback.listen()
    pipe.send(listener.getsockname()[1])
    clients = [loopback.accept(listener) for _ in range(CONNECTIONS)]
    pipe.recv()
    truth = np.zeros((CONNECTIONS, PER_CONNECTION), np.int64)
    codes = loopback.codes_of(CONNECTIONS * PER_CONNECTION).reshape(CONNECTIONS, PER_CONNECTION)
    random = np.random.default_rng(11)
    sent, behind_most, began = 0, 0.0, monotonic()
    while sent < rate * seconds:
        due = min(int(rate * (monotonic() - began)), int(rate * seconds)) - sent
        share = min(due // CONNECTIONS, rate // 50)
        if share:
            for index, client in enumerate(clients):
                _send_step(client, codes[index], truth[index], share, started + int(monotonic() - began), random)
            sent += share * CONNECTIONS
        elif due:  # what five cannot divide is the end
            break
        behind_most = max(behind_most, monotonic() - began - sent / rate)
        sleep(STEP_SECONDS)
    pipe.send((sent, monotonic() - began, behind_most, truth))
    pipe.recv()


def _send_step(
    client: socket.socket,
    codes: NDArray[np.uint64],
    truth: NDArray[np.int64],
    count: int,
    at: int,
    random: np.random.Generator,
) -> None:
    """Packets for random instruments of one connection; an instrument's volume counts its own packets."""
    chosen = np.sort(random.integers(0, len(codes), count))
    first = np.r_[True, chosen[1:] != chosen[:-1]]
    starts = np.flatnonzero(first)
    ranks = np.arange(count) - starts[np.cumsum(first) - 1]
    volumes = truth[chosen] + ranks + 1
    np.maximum.at(truth, chosen, volumes)
    rows = loopback.full_packets(codes[chosen], volumes, at)
    rows["total_buy_quantity"] = milliseconds()
    client.sendall(loopback.framed(rows))


async def ours(pipe: Pipe, port: int, seconds: float) -> dict[str, Any]:
    async def credentials() -> Credentials:
        return Credentials("1000000001", "bench", 1)

    codes = loopback.codes_of(CONNECTIONS * PER_CONNECTION)
    board = Board(CONNECTIONS * PER_CONNECTION)
    board.add(codes.tolist(), [5] * len(codes))
    placed = codes.reshape(CONNECTIONS, PER_CONNECTION).tolist()
    governor = Governor(credentials, DialRules(replace(DialTimers.from_settings(), spacing=0.05)), poll_seconds=1)
    connections: list[Connection] = []
    owners = []
    for index in range(CONNECTIONS):
        connections.append(
            Connection(
                index,
                url=f"ws://127.0.0.1:{port}",
                board=board,
                governor=governor,
                desired=lambda index: placed[index],
                timers=replace(
                    ConnectionTimers.from_settings(),
                    ping=loopback.NO_PING_SECONDS,
                    pong_timeout=loopback.NO_PING_SECONDS,
                ),
                expects_data=lambda: True,
            )
        )
        owners.append(asyncio.create_task(connections[-1].run()))
        while not connections[-1].is_live:  # the sender numbers its clients by the order in which they come
            await asyncio.sleep(0.005)
    report = await _receive(pipe, board, connections, seconds)
    for owner in owners:
        owner.cancel()
    await asyncio.gather(*owners, return_exceptions=True)
    return report


async def _receive(pipe: Pipe, board: Board, connections: list[Connection], seconds: float) -> dict[str, Any]:
    """Cut and measure until everything that was sent has been applied."""
    lags: list[int] = []
    memory: list[int] = []
    cpu, began = process_time(), perf_counter()
    truth: Any = None
    deadline = began + seconds + DRAIN_SECONDS
    pipe.send("go")
    while perf_counter() < deadline:
        await asyncio.sleep(FLUSH_SECONDS)
        rows = board.cut()
        if len(rows):
            lags.append(milliseconds() - int(rows["total_buy_quantity"].max()))
        if perf_counter() - began > seconds * WARM_UP_SHARE:
            memory.append(resident_bytes())
        if truth is None and pipe.poll():
            truth = pipe.recv()
        if truth is not None and sum(connection.packets for connection in connections) >= truth[0]:
            break
    cpu = process_time() - cpu
    pipe.send("done")
    sent, sending_seconds, behind, volumes = truth or (0, 0.0, 0.0, np.zeros((0, 0), np.int64))
    held = board.rows(loopback.codes_of(CONNECTIONS * PER_CONNECTION))
    received = sum(connection.packets for connection in connections)
    return {
        "packets": received,
        "packets_per_second": round(sent / sending_seconds) if sending_seconds else 0,
        "seconds": round(sending_seconds, 1),
        "exact": received == sent and bool((held["volume"] == volumes.ravel()).all()) and _prices_fit(held),
        "reconnects": sum(connection.reconnects for connection in connections),
        "board": dict(board.counters),
        "lag_ms": {"p50": float(np.percentile(lags, 50)), "p99": float(np.percentile(lags, 99)), "max": max(lags)},
        "sender_behind_ms_max": round(behind * 1000),
        "memory_growth_mb": round((max(memory) - memory[0]) / MEGABYTE, 1),
        "memory_mb": round(memory[-1] / MEGABYTE, 1),
        "packets_per_cpu_second": round(received / cpu),
    }


def _prices_fit(held: NDArray[np.void]) -> bool:
    """The price that belongs to each volume, as the sender made it."""
    traded = held["volume"] > 0
    expected = 10_000 + held["volume"] * 7919 % 200 * 5
    return bool((held["last_price"][traded] == expected[traded]).all())


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


async def peer(pipe: Pipe, port: int, seconds: float) -> dict[str, Any]:
    """A careful hand-written client: websockets, one struct call and one dict entry a packet."""
    last: dict[tuple[int, int], tuple[Any, ...]] = {}
    received = 0

    async def read(socket: Any) -> None:
        nonlocal received
        async for frame in socket:
            packet = FULL_STRUCT.unpack(frame)
            last[packet[2], packet[3]] = packet
            received += 1

    sockets = [
        await connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None) for _ in range(CONNECTIONS)
    ]
    readers = [asyncio.create_task(read(socket)) for socket in sockets]
    cpu, began = process_time(), perf_counter()
    pipe.send("go")
    truth: Any = None
    while perf_counter() - began < seconds + DRAIN_SECONDS and (truth is None or received < truth[0]):
        await asyncio.sleep(FLUSH_SECONDS)
        if truth is None and pipe.poll():
            truth = pipe.recv()
    cpu, wall = process_time() - cpu, perf_counter() - began
    for reader in readers:
        reader.cancel()
    return {
        "packets_per_second": round(received / wall),
        "packets_per_cpu_second": round(received / cpu),
        "sender_behind_ms_max": round(truth[2] * 1000) if truth else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--peer-seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    started = int(clock.exchange_now().timestamp()) - 60
    with loopback.child(send, arguments.rate, arguments.seconds, started) as (pipe, port):
        mine = asyncio.run(ours(pipe, port, arguments.seconds))
    with loopback.child(send, arguments.rate, arguments.peer_seconds, started) as (pipe, port):
        theirs = asyncio.run(peer(pipe, port, arguments.peer_seconds))
    print(
        json.dumps(
            {
                "bench": "ingest",
                "unit": "packets received and kept by one second of one core, five connections",
                "ours": mine["packets_per_cpu_second"],
                "peer": theirs["packets_per_cpu_second"],
                "ratio": round(mine["packets_per_cpu_second"] / theirs["packets_per_cpu_second"], 1),
                "run": mine,
                "peer_run": theirs,
                "machine": machine.describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
