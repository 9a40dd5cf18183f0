"""What is traded: exchange segments, instrument types and the key that names one instrument."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class ExchangeSegment(IntEnum):
    """Dhan's exchange segment byte (live market feed, section "Exchange segment"); there is no 6."""

    IDX_I = 0
    NSE_EQ = 1
    NSE_FNO = 2
    NSE_CURRENCY = 3
    BSE_EQ = 4
    MCX_COMM = 5
    BSE_CURRENCY = 7
    BSE_FNO = 8


class InstrumentType(StrEnum):
    """The instrument names of Dhan's master."""

    INDEX = "INDEX"
    EQUITY = "EQUITY"
    FUTIDX = "FUTIDX"
    OPTIDX = "OPTIDX"
    FUTSTK = "FUTSTK"
    OPTSTK = "OPTSTK"
    FUTCOM = "FUTCOM"
    OPTFUT = "OPTFUT"
    FUTCUR = "FUTCUR"
    OPTCUR = "OPTCUR"


class OptionType(StrEnum):
    """CALL and PUT inside; CE and PE only at the edges (the master, screens)."""

    CALL = "CALL"
    PUT = "PUT"


OPTION_TYPES = frozenset({InstrumentType.OPTIDX, InstrumentType.OPTSTK, InstrumentType.OPTFUT, InstrumentType.OPTCUR})
FUTURE_TYPES = frozenset({InstrumentType.FUTIDX, InstrumentType.FUTSTK, InstrumentType.FUTCOM, InstrumentType.FUTCUR})

SECURITY_ID_BITS = 32
SECURITY_ID_MASK = (1 << SECURITY_ID_BITS) - 1


class InstrumentKey(NamedTuple):
    """The identity of an instrument: a security id is unique only within its segment.

    Written ``NSE_FNO.49081``. ``code`` packs it into one integer (segment << 32 | security id), the
    form that numpy columns, Redis fields and the interest table hold.
    """

    segment: ExchangeSegment
    security_id: int

    def __str__(self) -> str:
        return f"{self.segment.name}.{self.security_id}"

    @property
    def code(self) -> int:
        return self.segment << SECURITY_ID_BITS | self.security_id

    @classmethod
    def from_code(cls, code: int) -> InstrumentKey:
        return cls(ExchangeSegment(code >> SECURITY_ID_BITS), code & SECURITY_ID_MASK)

    @classmethod
    def parse(cls, text: str) -> InstrumentKey:
        """Read ``NSE_FNO.49081``.

        Raises:
            ValueError: the segment is unknown or the id is not a whole number of 32 bits.
        """
        segment, separator, security_id = text.partition(".")
        if (
            not separator
            or segment not in ExchangeSegment.__members__
            or not (security_id.isascii() and security_id.isdigit())
            or len(security_id) > 10
            or int(security_id) > SECURITY_ID_MASK
        ):
            raise ValueError(f"not an instrument key: {text[:40]!r} (expected e.g. NSE_FNO.49081)")
        return cls(ExchangeSegment[segment], int(security_id))
