"""Masters for tests, written row by row in the detailed layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

TODAY = date(2026, 2, 3)
HEADER = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,"
    "SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,\n"
)
INDICES = {"NIFTY", "BANKNIFTY", "SENSEX"}


def master(rows: Iterable[str]) -> Iterator[str]:
    yield HEADER
    yield from rows


def index(security_id: int, symbol: str, name: str, exchange: str = "NSE") -> str:
    return f"{exchange},I,{security_id},NA,INDEX,{security_id},{symbol},{symbol},{name},NA,1,0001-01-01,,XX,0.05,\n"


def share(security_id: int, symbol: str, exchange: str = "NSE") -> str:
    series = "EQ" if exchange == "NSE" else "A"
    return f"{exchange},E,{security_id},INE000000000,EQUITY,,{symbol},{symbol} LTD,{symbol} Limited,{series},1,,,,5,\n"


def future(security_id: int, underlying: str, expiry: date, exchange: str = "NSE") -> str:
    letter, kind = ("M", "FUTCOM") if exchange == "MCX" else ("D", "FUTIDX" if underlying in INDICES else "FUTSTK")
    return (
        f"{exchange},{letter},{security_id},NA,{kind},1,{underlying},{underlying}-{expiry:%b%Y}-FUT,"
        f"{underlying} {expiry:%b} FUT,NA,65,{expiry},-0.01,XX,5,\n"
    )


def option(security_id: int, underlying: str, expiry: date, strike: int, side: str, exchange: str = "NSE") -> str:
    letter, kind = ("M", "OPTFUT") if exchange == "MCX" else ("D", "OPTIDX" if underlying in INDICES else "OPTSTK")
    word = "CALL" if side == "CE" else "PUT"
    return (
        f"{exchange},{letter},{security_id},NA,{kind},1,{underlying},{underlying}-{expiry:%b%Y}-{strike}-{side},"
        f"{underlying} {expiry.day} {expiry:%b} {strike} {word},NA,65,{expiry},{strike}.00000,{side},5,\n"
    )
