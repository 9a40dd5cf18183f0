"""The other end of the simulator's control path: faults in, truth out. For tests, benches and `up --report`."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from feeds.dhan.rest import trusted
from feeds.dhan.wire import FULL

TIMEOUT_SECONDS = 10.0


class FaultRefused(ValueError):
    """The simulator does not know this fault, or not with these arguments."""


class SimulatorControl:
    """`async with SimulatorControl(url) as control: await control.inject("reset", connection=2)`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False, verify=trusted())

    async def __aenter__(self) -> SimulatorControl:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def inject(self, fault: str, **arguments: Any) -> None:
        """Cause a fault of `feeds.simulator.faults`.

        Raises:
            FaultRefused: it cannot be caused.
        """
        response = await self._client.post("/control/faults", json={"fault": fault, **arguments})
        if response.is_error:
            raise FaultRefused(response.json()["error"])

    async def show(self, instrument: str, **step: Any) -> None:
        """Put an instrument under script: one step of `feeds.simulator.prices`, `walk=[...]`, or `release=True`.

        Raises:
            FaultRefused: it is not listed, or that is no step.
        """
        response = await self._client.post("/control/prices", json={"instrument": instrument, **step})
        if response.is_error:
            raise FaultRefused(response.json()["error"])

    async def state(self, *instruments: str, codes: bool = False) -> dict[str, Any]:
        """The simulator's truth; `instruments` (NSE_FNO.49081) adds each one's last packet as sent."""
        query = {"instruments": ",".join(instruments)} | ({"codes": "1"} if codes else {})
        response = await self._client.get("/control/state", params=query)
        response.raise_for_status()
        return dict(response.json())

    async def packets_sent(self) -> NDArray[np.void]:
        """The last Full packet of every instrument that was sent."""
        response = await self._client.get("/control/sent")
        response.raise_for_status()
        return np.frombuffer(response.content, FULL)
