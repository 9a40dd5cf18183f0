"""Alerts: what a user wants to be told of a price, a change, an open interest or a volume."""
