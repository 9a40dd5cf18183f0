"""How alerts look in REST: levels are text in the unit of their column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts.core.crossing import Column, Direction
from alerts.models import NOTE_LENGTH, Alert, Firing
from feeds.core.price import MAXIMUM_PAISE, PAISE_PER_RUPEE, rupees_text
from feeds.serializers import KeyField

DIRECTIONS = [direction.name for direction in Direction]
COUNTS = frozenset({Column.OPEN_INTEREST, Column.VOLUME})
LARGEST_COUNT = 10**15
LARGEST_PERCENT = 10_000 * PAISE_PER_RUPEE
"""Ten thousand percent: an option can do that in an hour, a mistyped price should not pass for one."""
LIMITS = {
    Column.LAST_PRICE: (1, MAXIMUM_PAISE),
    Column.CHANGE_PERCENT: (-100 * PAISE_PER_RUPEE, LARGEST_PERCENT),
    Column.OPEN_INTEREST: (1, LARGEST_COUNT),
    Column.VOLUME: (1, LARGEST_COUNT),
}
"""What a level may be, in whole units of its column."""


class NameField(serializers.ChoiceField):
    """A member of an IntEnum by its name."""

    def __init__(self, kind: type[Column] | type[Direction], **options: Any) -> None:
        self.kind = kind
        super().__init__(choices=[member.name for member in kind], **options)

    def to_internal_value(self, data: Any) -> Column | Direction:
        return self.kind[super().to_internal_value(data)]

    def to_representation(self, value: int) -> str:
        return self.kind(value).name


def level_of(column: int, value: Decimal) -> int:
    """26000.00 rupees are 2600000 paise, 2.50 percent 250 hundredths; counts are whole already.

    Raises:
        ValidationError: it is none, or far beyond anything.
    """
    whole = value if column in COUNTS else value * PAISE_PER_RUPEE
    low, high = LIMITS[Column(column)]
    if whole != int(whole) or not low <= whole <= high or not whole:
        raise serializers.ValidationError({"value": f"Not a level of {Column(column).name}."})
    return int(whole)


def value_text(column: int, level: int) -> str:
    return str(level) if column in COUNTS else rupees_text(level)


class ValueField(serializers.CharField):
    """A level beside the column that says its unit."""

    def get_attribute(self, instance: Alert | Firing) -> str:
        return value_text(instance.column, getattr(instance, self.source))


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """An alert as its owner sees it."""

    instrument = KeyField(source="key", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    name = serializers.CharField(source="instrument.name", read_only=True)
    column = NameField(Column, read_only=True)
    direction = NameField(Direction, read_only=True)
    value = ValueField(source="level", read_only=True, help_text="Rupees, percent or units, as the column has it.")

    class Meta:
        model = Alert
        fields = [
            "id", "instrument", "symbol", "name", "column", "direction", "value", "repeat", "note", "status",
            "fired_count", "fired_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class NewAlertSerializer(serializers.Serializer[Any]):
    """What an alert is made of."""

    instrument = KeyField()
    column = NameField(Column, default=Column.LAST_PRICE)
    direction = NameField(Direction)
    value = serializers.DecimalField(max_digits=18, decimal_places=2)
    repeat = serializers.BooleanField(default=False)
    note = serializers.CharField(max_length=NOTE_LENGTH, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {"level": level_of(attrs["column"], attrs.pop("value"))}


class AlertChangeSerializer(serializers.Serializer[Any]):
    """What may change. `active` pauses an alert, or takes it up again."""

    direction = NameField(Direction, required=False)
    value = serializers.DecimalField(max_digits=18, decimal_places=2, required=False)
    repeat = serializers.BooleanField(required=False)
    note = serializers.CharField(max_length=NOTE_LENGTH, required=False, allow_blank=True)
    active = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "value" in attrs:
            attrs["level"] = level_of(self.context["column"], attrs.pop("value"))
        return attrs


class AlertFilterSerializer(serializers.Serializer[Any]):
    """What a list of alerts may be narrowed by."""

    status = serializers.ChoiceField(choices=Alert.Status.values, required=False)
    instrument = KeyField(required=False)

    def columns(self) -> dict[str, Any]:
        given = self.validated_data
        columns = {"status": given["status"]} if "status" in given else {}
        return columns | ({"instrument": given["instrument"].code} if "instrument" in given else {})


class FiringSerializer(serializers.ModelSerializer[Firing]):
    """One time that an alert fired."""

    alert = serializers.IntegerField(source="alert_id", read_only=True, allow_null=True, help_text="Null: deleted.")
    instrument = KeyField(source="instrument.key", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    name = serializers.CharField(source="instrument.name", read_only=True)
    column = NameField(Column, read_only=True)
    direction = NameField(Direction, read_only=True)
    value = ValueField(source="level", read_only=True)
    reached = ValueField(read_only=True, help_text="The furthest value since the batch before.")
    last_price = serializers.SerializerMethodField()

    class Meta:
        model = Firing
        fields = [
            "id", "alert", "number", "instrument", "symbol", "name", "column", "direction", "value", "reached",
            "last_price", "note", "at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_last_price(self, firing: Firing) -> str:
        return rupees_text(firing.last_price)
