"""A user's alerts, what they fired, and the user's facts: numbered without a hole, as an account's are."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from alerts.core.crossing import Column, Direction
from feeds.core.instrument import InstrumentKey

NOTE_LENGTH = 120


class AlertClock(models.Model):
    """One row: goes up with every change that the process which watches alerts has to read."""

    version = models.BigIntegerField(default=0)


class Alert(models.Model):
    """A level that a user wants to be told of. Levels are paise, hundredths of a percent, or units."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        PAUSED = "PAUSED", "Paused"
        FIRED = "FIRED", "Fired"
        EXPIRED = "EXPIRED", "Expired"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alerts")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    column = models.PositiveSmallIntegerField(choices=[(column.value, column.name) for column in Column])
    direction = models.SmallIntegerField(choices=[(direction.value, direction.name) for direction in Direction])
    level = models.BigIntegerField(help_text="Paise, hundredths of a percent, or units, as the column has it.")
    repeat = models.BooleanField(default=False, help_text="Fires again each time it went back and crossed again.")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    armed = models.BooleanField(default=True, help_text="False: beyond the level already, and told of.")
    revision = models.BigIntegerField(default=1, help_text="Who decided on an older one decided nothing.")
    fired_count = models.PositiveIntegerField(default=0)
    fired_at = models.DateTimeField(null=True, blank=True, help_text="Exchange time of the last firing.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["instrument"], condition=models.Q(status="ACTIVE"), name="alert_watched")]

    def __str__(self) -> str:
        return f"{self.instrument} {Column(self.column).name} {Direction(self.direction).name}"

    @property
    def key(self) -> InstrumentKey:
        return InstrumentKey.from_code(self.instrument_id)


class Firing(models.Model):
    """One time that an alert fired: what it was then, whatever became of it since."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    alert = models.ForeignKey(Alert, null=True, on_delete=models.SET_NULL, related_name="firings")
    number = models.PositiveIntegerField(help_text="From 1 for each alert.")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    column = models.PositiveSmallIntegerField(choices=Alert._meta.get_field("column").choices)
    direction = models.SmallIntegerField(choices=Alert._meta.get_field("direction").choices)
    level = models.BigIntegerField()
    reached = models.BigIntegerField(help_text="The furthest value since the batch before.")
    last_price = models.BigIntegerField(help_text="Paise.")
    note = models.CharField(max_length=NOTE_LENGTH, blank=True)
    at = models.DateTimeField(help_text="Exchange time.")

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["alert", "number"], name="alert_fired_once")]

    def __str__(self) -> str:
        return f"{self.instrument} {self.at:%Y-%m-%d %H:%M:%S}"


class UserOutbox(models.Model):
    """How many facts a user has been told. Whoever changes a user's alerts locks it first."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+")
    offset = models.BigIntegerField(default=0)


class UserFact(models.Model):
    """One thing that a user is told, written in the transaction that did it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    offset = models.BigIntegerField()
    kind = models.CharField(max_length=12, help_text="ALERT, ALERT_FIRED or NOTICE.")
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["user", "offset"]
        constraints = [models.UniqueConstraint(fields=["user", "offset"], name="user_fact_once")]
