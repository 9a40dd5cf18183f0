"""Mutate good packets and decode them: only counted refusals may come out. `python -m bench.fuzz_wire --count N`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from feeds.dhan import wire
from feeds.dhan.wire import PacketError, ResponseCode

BATCH = 2_000
"""Mutations decoded in one call, as a busy connection would."""

MUTATED_BYTES = 3


@dataclass
class Report:
    """What became of the mutations."""

    mutations: int = 0
    understood: int = 0
    errors: Counter[PacketError] = field(default_factory=Counter)


def fuzz(count: int, seed: int) -> Report:
    """Decode `count` mutated frames. Anything raised comes through with the seed that made it."""
    random = np.random.default_rng(seed)
    seeds = _seed_frames()
    report = Report()
    while report.mutations < count:
        frames = mutate(seeds, min(BATCH, count - report.mutations), random)
        packets = wire.decode(frames)
        _check(frames, packets)
        report.mutations += len(frames)
        report.understood += packets.count
        report.errors += packets.errors
    return report


def _seed_frames() -> list[bytes]:
    """One packet of each code, and two stacked frames."""
    singles = [wire.encode(code, [2 << 32 | 49081]) for code in ResponseCode]
    return [*singles, b"".join(singles), singles[ResponseCode.TICKER] * 3]


def mutate(seeds: list[bytes], count: int, random: np.random.Generator) -> list[bytes]:
    """Frames with bytes overwritten (half of the time in the header), then cut, extended or left whole."""
    width = max(map(len, seeds)) + 16
    table = np.zeros((len(seeds), width), np.uint8)
    for row, frame in zip(table, seeds, strict=True):
        row[: len(frame)] = np.frombuffer(frame, np.uint8)
    chosen = random.integers(len(seeds), size=count)
    lengths = np.array([len(frame) for frame in seeds])[chosen]
    data = _overwritten(table[chosen], lengths, random)
    lengths = _resized(lengths, random)
    return [row[:length].tobytes() for row, length in zip(data, lengths, strict=True)]


def _overwritten(data: NDArray[np.uint8], lengths: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    rows = np.arange(len(data))
    for _ in range(MUTATED_BYTES):
        reach = np.where(random.random(len(data)) < 0.5, 3, lengths)
        data[rows, random.integers(0, reach)] = random.integers(0, 256, len(data))
    return data


def _resized(lengths: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    fate = random.random(len(lengths))
    cut = random.integers(0, lengths + 1)
    return np.where(fate < 0.3, cut, np.where(fate < 0.5, lengths + random.integers(1, 17, len(lengths)), lengths))


def _check(frames: list[bytes], packets: wire.Packets) -> None:
    """Every frame is accounted for, nothing is read twice, samples stay few."""
    if packets.count + packets.bad < len(frames):
        raise AssertionError("a frame vanished without being counted")
    if packets.count * wire.HEADER.itemsize > sum(map(len, frames)):
        raise AssertionError("more packets than bytes")
    if len(packets.samples) > wire.SAMPLES_KEPT:
        raise AssertionError("too many samples")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = perf_counter()
    report = fuzz(arguments.count, arguments.seed)
    print(
        json.dumps(
            {
                "bench": "fuzz_wire",
                "seed": arguments.seed,
                "mutations": report.mutations,
                "understood": report.understood,
                "errors": report.errors,
                "exceptions": 0,
                "seconds": round(perf_counter() - started, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
