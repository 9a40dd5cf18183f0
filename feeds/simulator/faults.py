"""Faults on command. Each public function is one fault of `POST /control/faults`, named as there.

`connection` is a number from the state, or "all", "oldest", "newest"; `instrument` is written NSE_FNO.49081.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from feeds import clock
from feeds.core.instrument import InstrumentKey
from feeds.simulator import frames
from feeds.simulator.connection import FeedConnection

if TYPE_CHECKING:
    from feeds.simulator.server import Simulator

MID_FRAME_SECONDS = 0.05
"""Between half a frame and the reset: a reset at once would throw the half frame away unread."""
CLOSE_WITHOUT_FRAME = 1006
UNKNOWN_CODE = 99
GARBAGE_BYTES = 64
EXTRA_BYTES = 10
EXAMPLE_INSTRUMENT = InstrumentKey.parse("IDX_I.13").code


class BadFault(ValueError):
    """No such fault, or not with these arguments."""


def inject(simulator: Simulator, command: dict[str, Any]) -> dict[str, Any]:
    """Do what a command asks: {"fault": name, ...arguments}.

    Raises:
        BadFault: it cannot be done.
    """
    arguments = dict(command)
    fault = FAULTS.get(arguments.pop("fault", ""))
    if fault is None:
        raise BadFault(f"faults are {', '.join(sorted(FAULTS))}")
    try:
        return fault(simulator, **arguments) or {}
    except (TypeError, ValueError, KeyError) as error:
        raise BadFault(str(error)) from error


# --- ends of connections ---


def reset(simulator: Simulator, connection: int | str = "all", mid_frame: bool = False) -> None:
    """RST, without a word before, or after half a packet."""
    for chosen in _connections(simulator, connection):
        if mid_frame:
            payload = _packet(simulator, chosen)
            chosen.send(frames.header(len(payload)) + payload[: len(payload) // 2])
            chosen.muted = True
            asyncio.get_running_loop().call_later(MID_FRAME_SECONDS, chosen.reset)
        else:
            chosen.reset()


def half_open(simulator: Simulator, connection: int | str) -> None:
    """Nothing is read and nothing written any more, and no end is seen."""
    for chosen in _connections(simulator, connection):
        chosen.drop_off()


def mute(simulator: Simulator, connection: int | str = "all", on: bool = True) -> None:
    """Pings are answered and sent; data is not."""
    for chosen in _connections(simulator, connection):
        chosen.muted = on


def disconnect(simulator: Simulator, reason: int, connection: int | str = "all", close: bool | None = None) -> None:
    """Packet 50 with any reason, then the close unless told or switched otherwise."""
    for chosen in _connections(simulator, connection):
        simulator.feed.disconnect(chosen, reason, close=close)


def close(simulator: Simulator, code: int = 1000, connection: int | str = "all", reason: str = "") -> None:
    """A close frame with this code; 1006 is the end of the stream without one."""
    for chosen in _connections(simulator, connection):
        if code == CLOSE_WITHOUT_FRAME:
            chosen.close_stream()
        else:
            chosen.close_handshake(code, reason)
        simulator.feed.connection_closed(chosen)


# --- the door ---


def throttle(simulator: Simulator, dials: int = 0, seconds: float = 0.0) -> None:
    """HTTP 429 at the handshake, for a number of dials or a time."""
    simulator.feed.throttled_dials = dials
    simulator.feed.throttled_until = clock.monotonic() + seconds if seconds else 0.0


def roll_token(simulator: Simulator, token: str, open_feeds: str = "keep") -> None:
    """Another token is right now. Open feeds are kept, muted, or cut with the reason of a replaced token."""
    simulator.feed.credentials.roll(token)
    switches = simulator.settings.switches
    if open_feeds == "mute":
        mute(simulator)
    elif open_feeds == "cut" or switches.replaced_token_cuts_open_feeds:
        disconnect(simulator, switches.replaced_token_reason)
    elif open_feeds != "keep":
        raise ValueError(f"open_feeds is keep, mute or cut, not {open_feeds!r}")


def ignore_requests(simulator: Simulator, messages: int) -> None:
    """The next requests are received and not acted on."""
    simulator.feed.requests_to_ignore = messages


def throttle_quotes(simulator: Simulator, requests: int) -> None:
    """REST quotes answer 429 and 805 this many times."""
    simulator.rest.requests_to_throttle = requests


def cut_master(simulator: Simulator, bytes_sent: int | None = None) -> None:
    """The master ends after so many bytes, in a whole HTTP answer; without a number it is whole again."""
    simulator.rest.master_bytes = bytes_sent


# --- bad bytes ---


def frame(simulator: Simulator, kind: str, connection: int | str = "all", count: int = 1, size: int = 80) -> None:
    """Malformed frames; `size` is where `truncated` cuts, or the length that `wrong_length` declares."""
    make = BAD_FRAMES.get(kind)
    if make is None:
        raise ValueError(f"kinds are {', '.join(BAD_FRAMES)}")
    for chosen in _connections(simulator, connection):
        chosen.send(make(_packet(simulator, chosen), size) * count)


def script(simulator: Simulator, packets: list[str], connection: int | str = "all", raw: bool = False) -> None:
    """Exactly these bytes (hex), each in a frame of its own, or raw into the stream."""
    payloads = [bytes.fromhex(packet) for packet in packets]
    data = b"".join(payloads if raw else map(frames.frame, payloads))
    for chosen in _connections(simulator, connection):
        chosen.send(data)


BAD_FRAMES: dict[str, Callable[[bytes, int], bytes]] = {
    "truncated": lambda packet, size: frames.frame(packet[:size]),
    "stacked": lambda packet, size: frames.frame(packet * 3),
    "unknown": lambda packet, size: frames.frame(bytes([UNKNOWN_CODE]) + packet[1:]),
    "garbage": lambda packet, size: frames.frame(np.random.default_rng(size).bytes(GARBAGE_BYTES)),
    "extended": lambda packet, size: frames.frame(packet + bytes(EXTRA_BYTES)),
    "wrong_length": lambda packet, size: frames.frame(packet[:1] + size.to_bytes(2, "little") + packet[3:]),
    "empty": lambda packet, size: frames.frame(b""),
    "text": lambda packet, size: frames.frame(b'{"status":"failed"}', frames.OPCODE_TEXT),
}


# --- wrong data ---


def freeze(simulator: Simulator, instruments: list[str], on: bool = True) -> None:
    """These instruments tick no more, while everything else does."""
    codes = {InstrumentKey.parse(instrument).code for instrument in instruments}
    if on:
        simulator.pump.frozen |= codes
    else:
        simulator.pump.frozen -= codes


def freeze_segment(simulator: Simulator, segment: str, on: bool = True) -> None:
    """A whole segment falls silent."""
    prefix = f"{segment}."
    keys = (InstrumentKey.from_code(int(code)) for code in simulator.market.codes)
    freeze(simulator, [str(key) for key in keys if str(key).startswith(prefix)], on)


def impossible(simulator: Simulator, instrument: str, values: dict[str, Any], packets: int = 1) -> None:
    """The next packets of an instrument carry these fields instead; numbers, or "nan", "inf", "-inf" as text."""
    numbers = {name: float(value) for name, value in values.items()}
    simulator.pump.override(InstrumentKey.parse(instrument).code, numbers, packets)


def duplicate(simulator: Simulator, instrument: str, times: int = 1) -> None:
    """The last packet of an instrument once more."""
    simulator.pump.send_again(InstrumentKey.parse(instrument).code, 0, 0, times)


def out_of_order(simulator: Simulator, instrument: str, seconds: float = 5.0) -> None:
    """A packet of an instrument as it was some seconds ago, after newer ones."""
    code = InstrumentKey.parse(instrument).code
    simulator.pump.send_again(code, seconds, clock.exchange_now().timestamp())


def burst(simulator: Simulator, rate: float, seconds: float) -> None:
    """So many packets a second for a time, whatever the limit for one instrument."""
    simulator.pump.burst(rate, clock.monotonic() + seconds)


def clear(simulator: Simulator) -> None:
    """No fault lasts; connections that are gone stay gone."""
    throttle(simulator)
    mute(simulator, on=False)
    simulator.feed.requests_to_ignore = 0
    simulator.rest.requests_to_throttle = 0
    simulator.rest.master_bytes = None
    simulator.pump.frozen.clear()
    simulator.pump.overrides.clear()
    simulator.pump.scripts.clear()
    simulator.pump.burst(0, 0)


FAULTS: dict[str, Callable[..., dict[str, Any] | None]] = {
    fault.__name__: fault
    for fault in (
        reset,
        half_open,
        mute,
        disconnect,
        close,
        throttle,
        roll_token,
        ignore_requests,
        throttle_quotes,
        cut_master,
        frame,
        script,
        freeze,
        freeze_segment,
        impossible,
        duplicate,
        out_of_order,
        burst,
        clear,
    )
}


def _connections(simulator: Simulator, connection: int | str) -> list[FeedConnection]:
    """
    Raises:
        ValueError: no such connection.
    """
    present = simulator.feed.connections
    if connection == "all":
        return list(present.values())
    if connection in ("oldest", "newest") and present:
        return [present[min(present) if connection == "oldest" else max(present)]]
    if isinstance(connection, int) and connection in present:
        return [present[connection]]
    raise ValueError(f"no connection {connection!r}; there are {sorted(present)}")


def _packet(simulator: Simulator, connection: FeedConnection) -> bytes:
    """A true Full packet of something it is subscribed to (or of NIFTY), for a fault to spoil."""
    codes = np.array([*connection.subscriptions.modes, EXAMPLE_INSTRUMENT], np.uint64)
    rows = simulator.market.rows(codes)
    row = rows[rows >= 0][:1]
    return simulator.market.packets(row, np.array([clock.exchange_now().timestamp()])).tobytes()
