"""Prices by script: a client sees what a test says, when it says it, and nothing that could not be true."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.simulator.control import FaultRefused
from tests.feeds.simulator.conftest import Client, contracts_of, until


@pytest.fixture
def option(simulator) -> str:
    return contracts_of(simulator, 1)[0]


@pytest.fixture
async def client(simulator, dial, option) -> Client:
    client = await dial(simulator)
    await client.subscribe(option)
    await until(lambda: len(client.packets.full.rows), "ticks")
    return client


def last(client: Client) -> np.void:
    return client.packets.full.rows[-1]


def levels(packet: np.void, side: str) -> list[tuple[float, int]]:
    depth = packet["depth"]
    pairs = zip(depth[f"{side}_price"].tolist(), depth[f"{side}_quantity"].tolist(), strict=True)
    return [(round(price, 2), quantity) for price, quantity in pairs if quantity]


async def until_shown(client: Client, price: float) -> np.void:
    await until(lambda: round(float(last(client)["last_price"]), 2) == price, f"a last price of {price}")
    return last(client)


async def test_a_last_price_is_a_trade_and_moves_the_book_around_it(client, control, option):
    before = last(client)
    await control.show(option, last_price=120.0)
    packet = await until_shown(client, 120.0)
    assert levels(packet, "bid")[0][0] == 119.95
    assert levels(packet, "ask")[0][0] == 120.05
    assert (len(levels(packet, "bid")), len(levels(packet, "ask"))) == (5, 5)
    assert packet["volume"] > before["volume"]
    assert packet["last_traded_at"] >= before["last_traded_at"]
    assert packet["day_low"] <= packet["last_price"] <= packet["day_high"]


async def test_levels_that_are_named_are_all_that_is_displayed(client, control, option):
    await control.show(option, last_price=120.0, bids=[[119.9, 65]], asks=[[120.05, 130], [120.5, 65]])
    packet = await until_shown(client, 120.0)
    assert levels(packet, "bid") == [(119.9, 65)]
    assert levels(packet, "ask") == [(120.05, 130), (120.5, 65)]


async def test_a_trade_through_leaves_the_book(client, control, option):
    await control.show(option, last_price=120.0, bids=[[119.95, 65]])
    first = await until_shown(client, 120.0)
    await control.show(option, trade=118.0, quantity=1300)
    packet = await until_shown(client, 118.0)
    assert levels(packet, "bid") == [(119.95, 65)]
    assert packet["volume"] - first["volume"] == 1300


async def test_a_walk_takes_its_steps_in_order(client, control, option):
    await control.show(option, walk=[120, 119.5, {"last_price": 118, "asks": [[118.05, 65]]}], seconds=0.1)
    packet = await until_shown(client, 118.0)
    assert levels(packet, "ask") == [(118.05, 65)]
    prices = [round(float(row["last_price"]), 2) for row in client.packets.full.rows]
    steps = [price for price in dict.fromkeys(prices) if price in (120.0, 119.5, 118.0)]
    assert steps == [120.0, 119.5, 118.0]


async def test_released_it_goes_its_own_path_and_its_volume_never_falls(client, control, option):
    await control.show(option, last_price=1.0, quantity=1_000_000)
    await until_shown(client, 1.0)
    await control.show(option, release=True)
    await until(lambda: last(client)["last_price"] != 1.0, "its own price")
    volumes = client.packets.full.rows["volume"].astype(np.int64)
    assert (np.diff(volumes) >= 0).all()


@pytest.mark.parametrize(
    "step", [{}, {"price": 1}, {"bids": [[1]]}, {"walk": []}, {"last_price": "dear"}, {"walk": ["down"]}]
)
async def test_what_is_no_step_is_refused(control, option, step):
    with pytest.raises(FaultRefused):
        await control.show(option, **step)


async def test_an_instrument_that_is_not_listed_is_refused(control):
    with pytest.raises(FaultRefused):
        await control.show("NSE_FNO.1", last_price=1.0)
