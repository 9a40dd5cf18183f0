"""A feed on loopback for the benches: a child process that speaks websocket and sends packets encoded beforehand."""

from __future__ import annotations

import atexit
import base64
import hashlib
import multiprocessing
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.dhan import wire
from feeds.dhan.wire import ResponseCode

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY_FRAME = 0x82
TWO_BYTE_LENGTH = 126
FIRST_SECURITY_ID = 35_000
ACCEPT_SECONDS = 20.0
NO_PING_SECONDS = 3600.0
"""For the clients: this server only sends, it answers no ping."""


def prepare_settings() -> None:
    """Let the product's modules read their settings, with a data directory that goes when the bench ends."""
    if multiprocessing.current_process().name != "MainProcess":
        return  # a child has its parent's environment
    folder = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["DATA_DIR"] = folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "terminal.settings")


def codes_of(count: int) -> NDArray[np.uint64]:
    """Instrument codes with the holes that real ids have."""
    return (
        (int(ExchangeSegment.NSE_FNO) << SECURITY_ID_BITS) + FIRST_SECURITY_ID + 3 * np.arange(count, dtype=np.uint64)
    )


def full_packets(
    codes: NDArray[np.uint64], volumes: NDArray[np.int64], at: NDArray[np.int64] | int
) -> NDArray[np.void]:
    """Sound Full packets: prices that walk around 100, five levels, and the volume that orders them."""
    rows = wire.blank_packets(ResponseCode.FULL, codes)
    price = 100 + (volumes * 7919 % 200) * 0.05
    rows["last_price"] = price
    rows["last_quantity"] = 75
    rows["last_traded_at"] = wire.wire_time(at)
    rows["volume"] = volumes
    rows["average_price"] = 104.37
    rows["total_sell_quantity"] = 4_000
    rows["total_buy_quantity"] = 5_000
    rows["open_interest"] = volumes
    rows["day_open"], rows["day_high"], rows["day_low"], rows["previous_close"] = 100.0, 110.0, 99.0, 101.0
    steps = np.arange(1, 6) * 0.05
    rows["depth"]["bid_price"] = price[:, np.newaxis] - steps
    rows["depth"]["ask_price"] = price[:, np.newaxis] + steps
    rows["depth"]["bid_quantity"] = rows["depth"]["ask_quantity"] = 75
    return rows


def framed(packets: NDArray[np.void], stacked: int = 1) -> bytes:
    """Packets of one size as websocket frames of a server, `stacked` in each."""
    size = packets.dtype.itemsize * stacked
    frames = np.zeros(len(packets) // stacked, np.dtype([("head", "u1", 2), ("length", ">u2"), ("body", "V", size)]))
    frames["head"] = (BINARY_FRAME, TWO_BYTE_LENGTH)
    frames["length"] = size
    frames["body"] = packets.view(np.dtype((np.void, size)))
    return frames.tobytes()


def accept(listener: socket.socket) -> socket.socket:
    """Take one websocket client; whatever it sends later is read and thrown away."""
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(65_536)
    headers = dict(line.lower().split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
    original = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    key = original.split(b": ", 1)[1].strip() if b"sec-websocket-key" in headers else b""
    answer = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )
    threading.Thread(target=_drain, args=(client,), daemon=True).start()
    return client


def _drain(client: socket.socket) -> None:
    try:
        while client.recv(65_536):
            pass
    except OSError:
        pass  # the client has gone, which is how every bench ends


def listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    listener.settimeout(ACCEPT_SECONDS)
    return listener


@contextmanager
def child(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Pipe, int]]:
    """Run `target(pipe, *arguments)` in a process of its own; it sends its port first. Yields the pipe and the port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    try:
        yield ours, int(ours.recv())
    finally:
        process.terminate()
        process.join(5)
