"""What nobody could confirm about Dhan, one named switch each, and the limits that are confirmed.

Section numbers are those of the Dhan fact sheet (dhan-api.md); each default is what the best evidence there says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from feeds.dhan.wire import DisconnectReason


@dataclass(frozen=True, slots=True)
class Limits:
    """Dhan's documented limits and timers (2.1, 5.1, 5.9). Timers in seconds, so that fault tests can shorten them."""

    connections: int = 5
    instruments_per_connection: int = 5000
    instruments_per_message: int = 100
    ping_seconds: float = 10.0
    pong_timeout_seconds: float = 40.0
    quotes_per_second: float = 1.0
    instruments_per_quote: int = 1000
    charts_per_second: float = 5.0
    days_per_chart: int = 90


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """One switch for each thing about the feed, the master and the quotes that the fact sheet leaves open."""

    packets_per_frame: int = 1
    """2.4, 9.1: frames seen held one packet; the documentation allows several, one after another."""
    previous_close_for: Literal["indices", "all", "nobody"] = "indices"
    """2.8, 9.3: documentation says every instrument sends code 6, Dhan's support says only indices."""
    index_quote_carries_close: bool = False
    """2.8: the close of an index's Quote was observed as 0.0."""
    index_in_full_mode: Literal["full", "quote", "silent"] = "quote"
    """2.7, 9.7: Quote works on IDX_I, Full is unknown."""
    open_interest_with_quote: bool = True
    """2.5: code 5 comes beside the Quote of a derivative."""
    open_interest_range_segments: Literal["NSE_FNO", "all"] = "NSE_FNO"
    """2.6, 9.7: day high and low of open interest are documented for NSE_FNO only."""
    volume_is_cumulative: bool = True
    """2.7, 9.6: all clients take volume for the day's; Dhan never answered."""
    mode_change_replaces: bool = False
    """2.2, 9.4: subscribing in another mode adds a subscription; nothing says that it replaces."""
    limit_counts_modes: bool = False
    """9.4: whether the 5,000 count instruments, or instruments and modes."""
    too_many_connections_closes: Literal["oldest", "newest"] = "oldest"
    """2.1: the sixth makes the server close the oldest with 805."""
    packet_before_close: bool = True
    """2.9: packet 50 comes before a server's close, but is often missing."""
    close_after_packet: bool = True
    """2.9: a socket was never seen to live on after packet 50, yet nothing promises the close."""
    close_handshake: bool = False
    """2.9: real closes come as a reset or an end of stream without a close frame; True sends close code 1000."""
    refusal_of_tokens: Literal["packet", "reset", "http"] = "packet"
    """2.9: a bad token was seen as packet 50 with 807 to 810, and as a drop that gives no reason; `http` is a 401."""
    replaced_token_reason: int = DisconnectReason.TOKEN_EXPIRED
    """1.1: a new token kills the old one; whether that one then counts as expired or as invalid is not said."""
    replaced_token_cuts_open_feeds: bool = False
    """9.9: nothing says that feeds already open are cut when a new token is made."""
    too_many_in_message: Literal["refuse", "accept"] = "refuse"
    """2.1: 100 a message is documented, what a breach does is not; `refuse` closes with 814."""
    market_status_on_connect: bool = False
    """9.2: when code 7 is sent is not documented."""
    heartbeat_seconds: float = 0.0
    """2.5: code 0 was seen by one client; 0 sends none."""
    quotes_for_silent_instruments: bool = True
    """5.9: an instrument that never traded answers with last_trade_time 01/01/1980; False leaves it out."""
