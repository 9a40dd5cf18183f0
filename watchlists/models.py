"""A user's watchlists. An item is an instrument; what it subscribes is decided in watchlists/core."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Watchlist(models.Model):
    """A named list of one user. `live_on` is the trading date whose Tier A it has taken up."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watchlists")
    name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=0)
    live_on = models.DateField(null=True, blank=True, help_text="Trading date for which its Tier A is wanted.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="watchlist_name")]
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name


class WatchlistItem(models.Model):
    """One instrument in a watchlist, in the user's order."""

    watchlist = models.ForeignKey(Watchlist, on_delete=models.CASCADE, related_name="items")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    instrument_only = models.BooleanField(default=False, help_text="Do not expand to the option window.")
    position = models.PositiveIntegerField(default=0)
    live = models.BooleanField(default=True, help_text="False: it did not fit the capacity when last taken up.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["watchlist", "instrument"], name="watchlist_item_once")]
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return str(self.instrument)
