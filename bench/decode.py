"""Packets a second on one core, from socket to board, against the official client. `python -m bench.decode`.

Both read the same bytes from the same kind of child process over loopback. "On one core" is by processor time of
the receiving process, so that a busy machine does not change it; the time on the wall is printed beside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

from bench import loopback, machine

loopback.prepare_settings()

from dhanhq import DhanContext, MarketFeed  # noqa: E402

from feeds import clock  # noqa: E402
from feeds.core.board import Arrival, Board  # noqa: E402
from feeds.dhan import wire  # noqa: E402
from feeds.dhan.connection import Connection, ConnectionTimers  # noqa: E402
from feeds.dhan.governor import Credentials, DialRules, DialTimers, Governor  # noqa: E402

FEW, MANY = 100, 25_000
STACKED = 10
PEER_SHARE = 5
"""The peer reads a fifth of the same stream: it is slow, and its pace does not change with time."""


class Pace(NamedTuple):
    """Packets a second by processor time and by the wall."""

    by_cpu: float
    by_wall: float


def stream(instruments: int, packets: int, stacked: int = 1) -> bytes:
    """The frames of one run: packets for random instruments, in good order."""
    chosen = np.random.default_rng(7).integers(0, instruments, packets)
    started = int(clock.exchange_now().timestamp()) - 600
    rows = loopback.full_packets(
        loopback.codes_of(instruments)[chosen],
        np.arange(1, packets + 1),
        started + np.arange(packets) // 2_000,
    )
    return loopback.framed(rows, stacked)


def serve(pipe: Pipe, instruments: int, packets: int, stacked: int) -> None:
    """In the child: accept one client after another; at each "go" send it the first so many bytes."""
    data = memoryview(stream(instruments, packets, stacked))
    listener = loopback.listen()
    pipe.send(listener.getsockname()[1])
    clients: list[socket.socket] = []
    while True:
        clients.append(loopback.accept(listener))
        share = pipe.recv()
        clients[-1].sendall(data[: len(data) // share])


def new_board(instruments: int) -> Board:
    board = Board(MANY)
    codes = loopback.codes_of(instruments)
    board.add(codes.tolist(), [5] * len(codes))
    return board


async def ours(pipe: Pipe, port: int, instruments: int, packets: int) -> Pace:
    """The product's own connection, from its socket to its board."""

    async def credentials() -> Credentials:
        return Credentials("1000000001", "bench", 1)

    board = new_board(instruments)
    codes = loopback.codes_of(instruments).tolist()
    connection = Connection(
        0,
        url=f"ws://127.0.0.1:{port}",
        board=board,
        governor=Governor(credentials, DialRules(DialTimers.from_settings()), poll_seconds=1),
        desired=lambda index: codes,
        timers=replace(
            ConnectionTimers.from_settings(), ping=loopback.NO_PING_SECONDS, pong_timeout=loopback.NO_PING_SECONDS
        ),
        expects_data=lambda: False,
    )
    owner = asyncio.create_task(connection.run())
    while len(connection.subscribed) < instruments:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # the subscriptions leave the write buffer outside the measurement
    cpu, wall = process_time(), perf_counter()
    pipe.send(1)
    while connection.packets < packets:
        await asyncio.sleep(0.005)
    pace = Pace(packets / (process_time() - cpu), packets / (perf_counter() - wall))
    owner.cancel()
    await asyncio.gather(owner, return_exceptions=True)
    _must_hold_the_last_packets(board, instruments, packets)
    return pace


def _must_hold_the_last_packets(board: Board, instruments: int, packets: int) -> None:
    chosen = np.random.default_rng(7).integers(0, instruments, packets)
    truth = np.zeros(instruments, np.int64)
    truth[chosen] = np.arange(1, packets + 1)
    if not (board.rows(loopback.codes_of(instruments))["volume"] == truth).all():
        raise AssertionError("the board is not what was sent")


def peer(pipe: Pipe, port: int, packets: int) -> Pace:
    """The official client as it is meant to be used: its own socket, its own loop, a callback that keeps the last."""
    last: dict[tuple[int, int], Any] = {}
    started: list[float] = []
    seen = 0

    def keep(feed: MarketFeed, data: dict[str, Any]) -> None:
        nonlocal seen
        last[data["exchange_segment"], data["security_id"]] = data
        seen += 1
        if seen == packets:
            feed._running = False

    def connected(feed: MarketFeed) -> None:
        started.extend((process_time(), perf_counter()))
        pipe.send(PEER_SHARE)

    MarketFeed.market_feed_wss = f"ws://127.0.0.1:{port}"
    instruments = [(MarketFeed.NSE_FNO, "35000", MarketFeed.Full)]
    feed = MarketFeed(DhanContext("1000000001", "bench"), instruments, on_connect=connected, on_message=keep)
    feed.run()
    cpu, wall = process_time() - started[0], perf_counter() - started[1]
    feed.loop.run_until_complete(feed.ws.close())
    feed.loop.close()
    return Pace(packets / cpu, packets / wall)


def bare(packets: int) -> dict[str, float]:
    """Decoding alone, of frames that are already in memory: ours a batch at a time, the client's one by one."""
    data = stream(FEW, packets)
    size = wire.FULL.itemsize + 4
    frames = [data[at + 4 : at + size] for at in range(0, len(data), size)]
    batches = [frames[at : at + 4_000] for at in range(0, len(frames), 4_000)]
    feed = MarketFeed(DhanContext("1000000001", "bench"), [])
    feed.loop.close()
    ours_seconds = min(_seconds(lambda: [wire.decode(batch) for batch in batches]) for _ in range(5))
    few = frames[: packets // PEER_SHARE]
    peer_seconds = min(_seconds(lambda: [feed.process_data(frame) for frame in few]) for _ in range(3))
    board = new_board(FEW)
    arrival = Arrival(clock.wall_nanoseconds(), clock.monotonic(), clock.exchange_now().timestamp())
    board_seconds = _seconds(lambda: [board.apply(wire.decode(batch), arrival) for batch in batches])
    return {
        "ours": round(packets / ours_seconds),
        "ours_with_board": round(packets / board_seconds),
        "peer": round(len(few) / peer_seconds),
        "ratio": round(packets / ours_seconds / (len(few) / peer_seconds), 1),
    }


def _seconds(work: Any) -> float:
    started = process_time()
    work()
    return process_time() - started


def median(paces: list[Pace]) -> Pace:
    return Pace(*(statistics.median(column) for column in zip(*paces, strict=True)))


def measure(packets: int, runs: int) -> dict[str, Any]:
    """Alternating runs, so that whatever else the machine does meets all of them alike."""
    paces: dict[str, list[Pace]] = {"few": [], "many": [], "stacked": [], "peer": []}
    with (
        loopback.child(serve, FEW, packets, 1) as few,
        loopback.child(serve, MANY, packets, 1) as many,
        loopback.child(serve, FEW, packets, STACKED) as stacked,
    ):
        for run in range(runs):
            paces["few"].append(asyncio.run(ours(*few, FEW, packets)))
            paces["many"].append(asyncio.run(ours(*many, MANY, packets)))
            if run < 3:
                paces["stacked"].append(asyncio.run(ours(*stacked, FEW, packets)))
                paces["peer"].append(peer(*few, packets // PEER_SHARE))
    return {name: median(found) for name, found in paces.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    found = measure(arguments.packets, arguments.runs)
    few, many, client = found["few"], found["many"], found["peer"]
    print(
        json.dumps(
            {
                "bench": "decode",
                "unit": "packets/s of one core, socket to board, one packet a frame",
                "ours": round(few.by_cpu),
                "peer": round(client.by_cpu),
                "ratio": round(few.by_cpu / client.by_cpu, 1),
                "by_wall": {"ours": round(few.by_wall), "peer": round(client.by_wall)},
                "at_25000": {
                    "ours": round(many.by_cpu),
                    "ratio": round(many.by_cpu / client.by_cpu, 1),
                    "slower_percent": round(100 * (1 - many.by_cpu / few.by_cpu), 1),
                },
                "stacked": {"packets_a_frame": STACKED, "ours": round(found["stacked"].by_cpu)},
                "bare_decode": bare(arguments.packets),
                "machine": machine.describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
