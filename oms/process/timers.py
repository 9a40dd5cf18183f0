"""Every period and patience of the execution process, read from the settings in this one place."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class ExecutionTimers:
    """All in seconds. The fault tests shorten them together by FEED_TIME_SCALE."""

    step: float
    sweep: float
    lease_renew: float
    watch: float
    status: float
    held: float

    @classmethod
    def from_settings(cls) -> ExecutionTimers:
        return cls(
            step=settings.EXECUTION_STEP_SECONDS,
            sweep=settings.EXECUTION_SWEEP_SECONDS,
            lease_renew=settings.LEASE_RENEW_SECONDS,
            watch=settings.RISK_WATCH_SECONDS,
            status=settings.FEED_STATUS_SECONDS,
            held=settings.HELD_INSTRUMENTS_SECONDS,
        )
