"""Every period and patience of the feed process, read from the settings in this one place."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class FeedTimers:
    """All in seconds. The fault tests shorten them together by FEED_TIME_SCALE."""

    flush: float
    sync: float
    stale_after: float
    silence_reconnect: float
    first_packet: float
    first_packet_resends: int
    instrument_stale: float
    lease_renew: float
    quote_spacing: float
    throttled: float
    heartbeat: float
    status: float
    watch: float

    @classmethod
    def from_settings(cls) -> FeedTimers:
        return cls(
            flush=settings.FEED_FLUSH_SECONDS,
            sync=settings.FEED_SYNC_SECONDS,
            stale_after=settings.FEED_STALE_AFTER_SECONDS,
            silence_reconnect=settings.FEED_SILENCE_RECONNECT_SECONDS,
            first_packet=settings.FEED_FIRST_PACKET_SECONDS,
            first_packet_resends=settings.FEED_FIRST_PACKET_RESENDS,
            instrument_stale=settings.FEED_INSTRUMENT_STALE_SECONDS,
            lease_renew=settings.LEASE_RENEW_SECONDS,
            quote_spacing=settings.DHAN_QUOTE_SPACING_SECONDS,
            throttled=settings.FEED_BACKOFF_THROTTLED_SECONDS,
            heartbeat=settings.FEED_HEARTBEAT_SECONDS,
            status=settings.FEED_STATUS_SECONDS,
            # Sixteen looks within its patience: silence is seen in time, and two looks apart is still lively.
            watch=settings.FEED_STALE_AFTER_SECONDS / 16,
        )
