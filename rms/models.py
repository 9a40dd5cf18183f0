"""Money and exposure: accounts, their ledger in two phases, positions, limits and kill switches. All money is paise."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from rms.core.product import Product

PRODUCTS = [(product.value, product.value) for product in Product]
USER = settings.AUTH_USER_MODEL


class TradingAccount(models.Model):
    """Whose money it is. Users trade it: its owner, and those who were given it."""

    class Route(models.TextChoices):
        PAPER = "PAPER", "Paper: the house is the counterparty"

    name = models.CharField(max_length=60, unique=True)
    owner = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="trading_accounts")
    traders = models.ManyToManyField(USER, blank=True, related_name="shared_trading_accounts")
    route = models.CharField(max_length=8, choices=Route.choices, default=Route.PAPER)
    enabled = models.BooleanField(default=True, help_text="Off: nothing new is accepted; exits stay possible.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        permissions = [
            ("view_all_accounts", "Can see every trading account and its books"),
            ("manage_funds", "Can pay in and out, and approve what another asked for"),
            ("manage_risk", "Can set limits, engage and release kill switches, and square off"),
        ]

    def __str__(self) -> str:
        return self.name


class Funds(models.Model):
    """What one account has and what of it is bound: one row, the first lock of every change of money.

    `cash` is the balance of its cash account in the ledger. available = cash - held_margin - used_margin.
    """

    account = models.OneToOneField(TradingAccount, on_delete=models.PROTECT, primary_key=True, related_name="funds")
    cash = models.BigIntegerField(default=0)
    held_margin = models.BigIntegerField(default=0, help_text="The sum of its live holds.")
    used_margin = models.BigIntegerField(default=0, help_text="Bound by positions: the sum of its margin groups.")
    floor = models.BigIntegerField(default=0, help_text="What holds and withdrawals must leave available.")
    deficit = models.BooleanField(
        default=False, help_text="Below its floor after a fill or settlement: may only reduce."
    )
    fact_offset = models.BigIntegerField(default=0, help_text="Of the account's last fact.")

    class Meta:
        verbose_name_plural = "funds"
        constraints = [
            models.CheckConstraint(condition=models.Q(held_margin__gte=0), name="funds_held_not_negative"),
            models.CheckConstraint(condition=models.Q(used_margin__gte=0), name="funds_used_not_negative"),
            models.CheckConstraint(
                condition=models.Q(deficit=True)
                | models.Q(cash__gte=models.F("held_margin") + models.F("used_margin") + models.F("floor")),
                name="funds_floor_or_deficit",
            ),
        ]

    @property
    def available(self) -> int:
        return self.cash - self.held_margin - self.used_margin


class LedgerAccount(models.Model):
    """One side of an entry: an account's cash, or one of the house's books (BANK, TRADING, CHARGES, INTEREST)."""

    class Book(models.TextChoices):
        CASH = "CASH", "Cash of a trading account"
        BANK = "BANK", "Money from and to outside"
        TRADING = "TRADING", "The house as counterparty"
        CHARGES = "CHARGES", "Brokerage, taxes and fees"
        INTEREST = "INTEREST", "Interest on funded shares"

    book = models.CharField(max_length=8, choices=Book.choices)
    account = models.ForeignKey(TradingAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["book", "account"], name="ledger_account_identity", nulls_distinct=False),
            models.CheckConstraint(
                condition=models.Q(book="CASH", account__isnull=False)
                | ~models.Q(book="CASH") & models.Q(account=None),
                name="ledger_cash_is_an_accounts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} cash" if self.account_id else self.book.lower()


class Transfer(models.Model):
    """One movement of money: entries that sum to zero, made once for its reference. Rows are only ever added."""

    class Kind(models.TextChoices):
        FUNDS_IN = "FUNDS_IN", "Paid in"
        FUNDS_OUT = "FUNDS_OUT", "Paid out"
        TRADE = "TRADE", "Premium or price of a trade, or profit realised by it"
        CHARGES = "CHARGES", "Charges of a day"
        MARK_TO_MARKET = "MARK_TO_MARKET", "Futures marked to the settlement price"
        EXPIRY = "EXPIRY", "Settlement of an expired contract"
        INTEREST = "INTEREST", "Interest on funded shares"
        CORRECTION = "CORRECTION", "Correction by hand"

    reference = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="transfers")
    trading_date = models.DateField()
    actor = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["account", "trading_date"], name="transfer_of_day")]

    def __str__(self) -> str:
        return self.reference


class Entry(models.Model):
    """One leg of a transfer. Positive: the ledger account receives."""

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="entries")
    ledger_account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    amount = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="entry_moves_something"),
            models.UniqueConstraint(fields=["transfer", "ledger_account"], name="entry_once_a_transfer"),
        ]


class Hold(models.Model):
    """Margin that one reference binds until it is posted (became a position) or voided. Ended once, for good."""

    class State(models.TextChoices):
        HELD = "HELD", "Held"
        POSTED = "POSTED", "Posted"
        VOIDED = "VOIDED", "Voided"

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="holds")
    reference = models.CharField(max_length=80, unique=True)
    amount = models.BigIntegerField(help_text="Still bound; 0 once it ended.")
    original_amount = models.BigIntegerField()
    posted_amount = models.BigIntegerField(default=0)
    state = models.CharField(max_length=6, choices=State.choices, default=State.HELD)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__gte=0, original_amount__gte=0, posted_amount__gte=0),
                name="hold_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(state="HELD") | models.Q(amount=0), name="hold_ended_binds_nothing"
            ),
        ]
        indexes = [models.Index(fields=["account"], condition=models.Q(state="HELD"), name="hold_live")]


class MarginGroup(models.Model):
    """What the positions of one account in one underlying need: recomputed whenever one of them changes."""

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="margin_groups")
    group = models.CharField(max_length=80, help_text="Segment and underlying, or the share itself.")
    used_margin = models.BigIntegerField(default=0)
    details = models.JSONField(default=dict, blank=True, help_text="span, exposure, policy, ... in paise")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "group"], name="margin_group_identity")]


class Position(models.Model):
    """What an account holds of an instrument in one product: moving average cost, exact to the paisa.

    `open_cost` is signed like the quantity: what is open cost this much, the multiplier included. Rows of a
    closed position stay for the day; day end starts a new day in them.
    """

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="positions")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    product = models.CharField(max_length=8, choices=PRODUCTS)
    signed_quantity = models.BigIntegerField(default=0)
    open_cost = models.BigIntegerField(default=0)
    realised_pnl = models.BigIntegerField(default=0, help_text="Of the trading date, before charges.")
    day_buy_quantity = models.BigIntegerField(default=0)
    day_buy_value = models.BigIntegerField(default=0)
    day_sell_quantity = models.BigIntegerField(default=0)
    day_sell_value = models.BigIntegerField(default=0)
    carried_quantity = models.BigIntegerField(default=0, help_text="Signed, at the start of the trading date.")
    carried_price = models.BigIntegerField(default=0, help_text="Previous settlement price of what was carried.")
    trading_date = models.DateField(help_text="The day that the day's figures belong to.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument", "product"], name="position_identity"),
            models.CheckConstraint(
                condition=~models.Q(signed_quantity=0) | models.Q(open_cost=0), name="position_flat_costs_nothing"
            ),
        ]
        indexes = [
            models.Index(fields=["instrument"], condition=~models.Q(signed_quantity=0), name="position_open"),
        ]


class PositionChange(models.Model):
    """What a position took, once for its reference: it is the fold of its rows in order. Rows are only ever added."""

    class Kind(models.TextChoices):
        TRADE = "TRADE", "Fill of an order"
        MARK_TO_MARKET = "MARK_TO_MARKET", "Marked to the settlement price: quantity 0"
        EXPIRY = "EXPIRY", "Closed or opened by an expiry"
        CONVERSION = "CONVERSION", "From or to another product"
        DELIVERY = "DELIVERY", "Into or out of holdings"
        CLOSE_OUT = "CLOSE_OUT", "Closed by the house at the day's end"

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.CharField(max_length=8, choices=PRODUCTS)
    reference = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    signed_quantity = models.BigIntegerField()
    price = models.BigIntegerField(help_text="Paise.")
    multiplier = models.PositiveIntegerField(default=1)
    realised = models.BigIntegerField(help_text="By the moving average, before charges.")
    trading_date = models.DateField()
    at = models.DateTimeField(help_text="Exchange time.")

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["account", "instrument", "product"], name="position_change_of_position")]


class Holding(models.Model):
    """Settled shares of an account."""

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="holdings")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveBigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "instrument"], name="holding_identity")]


class RiskLimits(models.Model):
    """Limits of an account, or of a user over all accounts; empty: no such limit. Money is paise, quantities units."""

    account = models.OneToOneField(
        TradingAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="limits"
    )
    user = models.OneToOneField(USER, null=True, blank=True, on_delete=models.CASCADE, related_name="risk_limits")
    order_value = models.BigIntegerField(null=True, blank=True)
    open_order_value = models.BigIntegerField(null=True, blank=True)
    order_quantity = models.BigIntegerField(null=True, blank=True)
    net_position = models.BigIntegerField(null=True, blank=True, help_text="Units of one instrument, either side.")
    orders_per_second = models.PositiveIntegerField(null=True, blank=True)
    daily_loss = models.BigIntegerField(null=True, blank=True)
    daily_loss_warn_percent = models.PositiveSmallIntegerField(default=80)
    square_off_at_loss = models.BooleanField(default=True, help_text="Close everything when the daily loss is reached.")
    price_deviation_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    order_to_trade_ratio = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "risk limits"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account__isnull=True, user__isnull=False)
                | models.Q(account__isnull=False, user__isnull=True),
                name="limits_of_one_owner",
            ),
        ]


class KillSwitch(models.Model):
    """One stop of trading, from its engagement to its release by somebody else. House: neither account nor user."""

    account = models.ForeignKey(TradingAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    engaged_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    engaged_at = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=200)
    released_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)
    release_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "kill switches"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "user"],
                condition=models.Q(released_at=None),
                name="kill_switch_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(released_at__isnull=True, released_by__isnull=True)
                | models.Q(released_at__isnull=False, released_by__isnull=False)
                & ~models.Q(released_by=models.F("engaged_by")),
                name="kill_switch_second_person",
            ),
            models.CheckConstraint(
                condition=models.Q(account__isnull=True) | models.Q(user__isnull=True), name="kill_switch_one_scope"
            ),
        ]


class FundsRequest(models.Model):
    """Money in or out that somebody asked for; above a threshold a second person approves it."""

    class Direction(models.TextChoices):
        IN = "IN", "Pay in"
        OUT = "OUT", "Pay out"

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting for a second person"
        DONE = "DONE", "Done"
        REFUSED = "REFUSED", "Refused"

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="funds_requests")
    direction = models.CharField(max_length=3, choices=Direction.choices)
    amount = models.BigIntegerField(help_text="Paise.")
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    requested_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(db_default=Now())
    decided_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    refusal = models.CharField(max_length=200, blank=True)
    transfer = models.OneToOneField(Transfer, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="funds_request_positive"),
            models.CheckConstraint(
                condition=models.Q(state="REFUSED")
                | models.Q(decided_by=None)
                | ~models.Q(decided_by=models.F("requested_by")),
                name="funds_request_second_person",
            ),
        ]


class SettlementPrice(models.Model):
    """What a day settled an instrument at, and where that price came from."""

    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    trading_date = models.DateField()
    price = models.BigIntegerField(help_text="Paise.")
    source = models.CharField(max_length=20, help_text="LAST_HALF_HOUR, LAST_TRADED, PREVIOUS_CLOSE, BY_HAND, ...")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "trading_date"], name="settlement_price_identity"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="settlement_price_not_negative"),
        ]


class Statement(models.Model):
    """An account's day as it was closed: trades, charges by line, settlement, balances. Written once."""

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="statements")
    trading_date = models.DateField()
    group = models.CharField(max_length=20, help_text="The day end that wrote it: EQUITY or COMMODITY.")
    content = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-trading_date", "account"]
        constraints = [
            models.UniqueConstraint(fields=["account", "trading_date", "group"], name="statement_identity"),
        ]


class AccountFact(models.Model):
    """The outbox: what changed in an account, numbered without a gap, written in the transaction that changed it."""

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="facts")
    offset = models.BigIntegerField(help_text="From 1 in each account: Funds.fact_offset.")
    kind = models.CharField(max_length=8, help_text="FUNDS, POSITION, ALERT, and the kinds of those who trade.")
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["account", "offset"]
        constraints = [models.UniqueConstraint(fields=["account", "offset"], name="account_fact_once")]
