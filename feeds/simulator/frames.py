"""Websocket frames around feed packets, built for whole arrays at once. A server's frames are not masked (RFC 6455)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

OPCODE_TEXT = 0x1
OPCODE_BINARY = 0x2
FINAL = 0x80
SHORT_PAYLOAD = 125
MEDIUM_PAYLOAD = 65_535


def header(size: int, opcode: int = OPCODE_BINARY) -> bytes:
    """The bytes before a payload of `size` bytes."""
    if size <= SHORT_PAYLOAD:
        return struct.pack("!BB", FINAL | opcode, size)
    if size <= MEDIUM_PAYLOAD:
        return struct.pack("!BBH", FINAL | opcode, 126, size)
    return struct.pack("!BBQ", FINAL | opcode, 127, size)


def frame(payload: bytes, opcode: int = OPCODE_BINARY) -> bytes:
    return header(len(payload), opcode) + payload


def frames(packets: NDArray[np.void], per_frame: int = 1) -> bytes:
    """The packets as frames of `per_frame` packets each, the last one shorter, ready for one write."""
    whole = len(packets) // per_frame * per_frame
    body = _equal_frames(packets[:whole], per_frame)
    return body + frame(packets[whole:].tobytes()) if whole < len(packets) else body


def _equal_frames(packets: NDArray[np.void], per_frame: int) -> bytes:
    size = packets.dtype.itemsize * per_frame
    start = header(size)
    framed = np.empty(len(packets) // per_frame, np.dtype([("header", f"V{len(start)}"), ("payload", f"V{size}")]))
    framed["header"] = np.void(start)
    framed["payload"] = np.ascontiguousarray(packets).view(f"V{size}")
    return framed.tobytes()
