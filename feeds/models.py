"""What the market lists, what we always watch of it, and the rows that processes coordinate through."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now

from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType


class Instrument(models.Model):
    """One row of Dhan's master. Its identity is (segment, security id); prices are in paise."""

    code = models.BigIntegerField(primary_key=True, help_text="InstrumentKey.code: segment << 32 | security id.")
    segment = models.PositiveSmallIntegerField(choices=[(s.value, s.name) for s in ExchangeSegment])
    security_id = models.BigIntegerField()
    instrument_type = models.CharField(max_length=8, choices=[(t.value, t.value) for t in InstrumentType])
    symbol = models.CharField(max_length=64, help_text="Trading symbol, e.g. RELIANCE or NIFTY-Feb2026-26000-CE.")
    name = models.CharField(max_length=160, blank=True, help_text="Display name, e.g. NIFTY 24 FEB 26000 CALL.")
    underlying_symbol = models.CharField(max_length=64, blank=True)
    underlying_security_id = models.BigIntegerField(null=True, blank=True)
    expiry = models.DateField(null=True, blank=True)
    strike = models.BigIntegerField(null=True, blank=True, help_text="Paise.")
    option_type = models.CharField(max_length=4, blank=True, choices=[(t.value, t.value) for t in OptionType])
    lot_size = models.PositiveIntegerField(default=1)
    tick_size = models.PositiveIntegerField(default=5, help_text="Paise.")
    multiplier = models.PositiveIntegerField(default=1, help_text="Units of one lot on MCX (crude 100), else 1.")
    freeze_quantity = models.PositiveIntegerField(null=True, blank=True)
    lower_limit = models.BigIntegerField(null=True, blank=True, help_text="Circuit limit in paise.")
    upper_limit = models.BigIntegerField(null=True, blank=True, help_text="Circuit limit in paise.")
    isin = models.CharField(max_length=12, blank=True)
    series = models.CharField(max_length=8, blank=True)
    expiry_flag = models.CharField(max_length=2, blank=True)
    search_vector = SearchVectorField(
        null=True,
        editable=False,
        help_text="Words that a search matches by prefix: symbol, underlying, name, strike, expiry.",
    )
    is_listed = models.BooleanField(default=True, help_text="In the latest master.")
    listed_on = models.DateField(help_text="Trading date of the master that last named it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["segment", "security_id"], name="instrument_identity"),
        ]
        indexes = [
            models.Index(
                fields=["segment", "underlying_symbol", "expiry", "strike"],
                condition=models.Q(is_listed=True),
                name="instrument_chain",
            ),
            models.Index(fields=["symbol"], name="instrument_symbol"),
            GinIndex(fields=["search_vector"], name="instrument_search"),
            # One letter as a prefix matches half of all contracts: indices and shares have their own index.
            GinIndex(fields=["search_vector"], condition=models.Q(expiry=None), name="instrument_search_spots"),
        ]
        ordering = ["symbol", "code"]

    def __str__(self) -> str:
        return self.name or self.symbol

    @property
    def key(self) -> InstrumentKey:
        return InstrumentKey.from_code(self.code)


class DhanAccount(models.Model):
    """Credentials of one Dhan data account; one feed process each. Secrets are ciphertext (feeds/credentials.py)."""

    name = models.CharField(max_length=40, unique=True)
    client_id = models.CharField(max_length=20, unique=True)
    enabled = models.BooleanField(default=True)
    access_token = models.BinaryField(null=True, blank=True, editable=False)
    pin = models.BinaryField(null=True, blank=True, editable=False)
    totp_secret = models.BinaryField(null=True, blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    credential_version = models.PositiveIntegerField(
        default=1, help_text="Goes up with every new credential: a blocked feed dials again when it moves."
    )

    class Meta:
        ordering = ["pk"]
        permissions = [("operate_feed", "Can rebuild, resync, reconnect, reseed and release")]

    def __str__(self) -> str:
        return self.name


class ChainDefinition(models.Model):
    """One always-on option chain of Tier B: which expiries, how many strikes, which sides."""

    class Sides(models.TextChoices):
        BOTH = "BOTH", "Call and put"
        OUT_OF_THE_MONEY = "OTM", "Put below ATM, call at and above"

    underlying_symbol = models.CharField(max_length=64)
    segment = models.PositiveSmallIntegerField(
        choices=[
            (s.value, s.name) for s in (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO, ExchangeSegment.MCX_COMM)
        ]
    )
    account = models.ForeignKey(DhanAccount, on_delete=models.PROTECT, related_name="chains")
    weekly = models.PositiveSmallIntegerField(default=0, help_text="Weekly expiry slots.")
    weekly_counts_monthly_week = models.BooleanField(
        default=False, help_text="Whether the week of the monthly expiry is counted among the weeklies."
    )
    monthly = models.PositiveSmallIntegerField(default=0, help_text="Monthly expiry slots.")
    quarterly = models.PositiveSmallIntegerField(default=0, help_text="Quarterly slots after the last monthly.")
    half_yearly = models.PositiveSmallIntegerField(default=0, help_text="Half-yearly slots after the last quarterly.")
    strikes = models.PositiveSmallIntegerField(default=21, help_text="Strikes by rank around ATM; odd.")
    sides = models.CharField(max_length=4, choices=Sides.choices, default=Sides.BOTH)
    enabled = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["segment", "underlying_symbol"], name="chain_definition_identity"),
        ]
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return f"{self.underlying_symbol} ({ExchangeSegment(self.segment).name})"


class ChainContract(models.Model):
    """One contract that a chain definition resolved to, and the strike rank that chose it."""

    definition = models.ForeignKey(ChainDefinition, on_delete=models.CASCADE, related_name="contracts")
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="+")
    expiry = models.DateField()
    strike = models.BigIntegerField()
    option_type = models.CharField(max_length=4, choices=[(t.value, t.value) for t in OptionType])
    rank = models.SmallIntegerField(help_text="Listed strikes from ATM: 0 is ATM, negative below.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["definition", "instrument"], name="chain_contract_identity"),
        ]
        ordering = ["expiry", "strike", "option_type"]

    def __str__(self) -> str:
        return f"{self.expiry} {self.strike // 100} {self.option_type}"


class ChainState(models.Model):
    """The last resolution of a chain: its ATM, its reference and its four numbers with reasons."""

    definition = models.OneToOneField(ChainDefinition, on_delete=models.CASCADE, related_name="state")
    trading_date = models.DateField()
    reference = models.ForeignKey(Instrument, null=True, on_delete=models.SET_NULL, related_name="+")
    atm_strike = models.BigIntegerField(null=True)
    nominal = models.PositiveIntegerField(default=0)
    unique = models.PositiveIntegerField(default=0)
    listed = models.PositiveIntegerField(default=0)
    missing = models.JSONField(default=list, help_text="[{expiry, reason, count}]")
    updated_at = models.DateTimeField(auto_now=True)


class Candle(models.Model):
    """One minute of one instrument as our own ticks made it. Written and read in bulk by `feeds.candles` alone.

    The table is partitioned by trading date and tier, so that what has been kept long enough is dropped, not deleted.
    """

    class Tier(models.IntegerChoices):
        A = 0, "Tier A"
        B = 1, "Tier B and references"

    pk = models.CompositePrimaryKey("code", "start", "trading_date", "tier")
    code = models.BigIntegerField(help_text="InstrumentKey.code; the instrument may have expired meanwhile.")
    start = models.BigIntegerField(help_text="Seconds since 1970 UTC.")
    trading_date = models.DateField()
    tier = models.PositiveSmallIntegerField(choices=Tier.choices)
    open = models.IntegerField(help_text="Paise.")
    high = models.IntegerField()
    low = models.IntegerField()
    close = models.IntegerField()
    volume = models.BigIntegerField()
    open_interest = models.BigIntegerField()
    partial = models.BooleanField(help_text="Ticks of this minute may have been missed.")

    class Meta:
        managed = False  # Django cannot say PARTITION BY: feeds/sql.py does
        db_table = "feeds_candle"


class DailyVolatility(models.Model):
    """What an underlying's volatility was when a day closed: at the money, of the expiry about thirty days ahead."""

    segment = models.PositiveSmallIntegerField(choices=[(s.value, s.name) for s in ExchangeSegment])
    underlying_symbol = models.CharField(max_length=64)
    day = models.DateField()
    expiry = models.DateField()
    volatility = models.FloatField(help_text="Percent a year.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["segment", "underlying_symbol", "day"], name="daily_volatility_identity"),
        ]

    def __str__(self) -> str:
        return f"{self.underlying_symbol} {self.day}: {self.volatility:.2f} %"


class InterestClock(models.Model):
    """Two rows (see feeds.interest). Whoever changes interest locks the first and takes its next version, so that
    versions commit in order; the second says up to which version withdrawn rows may have been deleted.
    """

    version = models.BigIntegerField(default=0)


class Interest(models.Model):
    """The instruments that one owner wants from one account: one row an owner, its codes packed."""

    class Source(models.TextChoices):
        CHAIN = "chain", "Tier B chain"
        REFERENCE = "reference", "Reference of a chain"
        WATCHLIST = "watchlist", "Watchlist"
        HELD = "held", "Open order or position"
        ALERT = "alert", "Alert"

    source = models.CharField(max_length=12, choices=Source.choices)
    owner = models.CharField(max_length=40)
    account = models.ForeignKey(DhanAccount, on_delete=models.CASCADE, related_name="interests")
    codes = models.BinaryField(default=b"", help_text="Sorted little-endian uint64 instrument codes.")
    version = models.BigIntegerField(
        db_index=True, help_text="InterestClock at the last change; empty codes = withdrawn."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "owner", "account"], name="interest_identity"),
        ]


class Holiday(models.Model):
    """A change to the calendar that was announced after our shipped data: a closed day or a special session."""

    class Exchange(models.TextChoices):
        NSE_BSE = "NSE_BSE", "NSE and BSE"
        MCX = "MCX", "MCX"

    exchange = models.CharField(max_length=8, choices=Exchange.choices)
    date = models.DateField()
    name = models.CharField(max_length=120)
    morning_open = models.BooleanField(default=False, help_text="MCX: 09:00 to 17:00. NSE and BSE: the whole day.")
    evening_open = models.BooleanField(default=False, help_text="MCX only: from 17:00.")
    known_from = models.DateField(help_text="The day it was announced; earlier questions are answered without it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["exchange", "date"], name="holiday_identity")]
        ordering = ["date", "exchange"]

    def __str__(self) -> str:
        return f"{self.date} {self.name}"


class JobRun(models.Model):
    """Proof that a job ran for a trading date. The row, not the scheduler, makes it exactly once."""

    class Status(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        FAILED = "FAILED", "Failed"

    job = models.CharField(max_length=40)
    trading_date = models.DateField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    attempts = models.PositiveSmallIntegerField(default=1)
    claimed_until = models.DateTimeField(help_text="Database time after which another worker may take it over.")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "trading_date"], name="job_run_once")]
        ordering = ["-trading_date", "-started_at"]

    def __str__(self) -> str:
        return f"{self.job} {self.trading_date} {self.status}"


class Lease(models.Model):
    """Which process may act as the one of its name, until when by database time, and the fencing epoch."""

    name = models.CharField(max_length=60, primary_key=True)
    holder = models.CharField(max_length=160, help_text="host, pid and start of the process.")
    epoch = models.BigIntegerField(default=1)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} (epoch {self.epoch})"


class AppendOnlyError(Exception):
    """Someone tried to change or delete a row that is only ever added; the database refuses it too (feeds/sql.py)."""


class ExchangeClockMark(models.Model):
    """One row: how far exchange time has come in this database. It never goes back (`manage.py up`)."""

    reached_at = models.DateTimeField()


class AuditEntry(models.Model):
    """Who did what, when and to what: one row a privileged action, never changed."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=160, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    details = models.JSONField(default=dict, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("an audit entry is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("an audit entry is never deleted")
