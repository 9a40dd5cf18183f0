"""The venues that an order may be sent to, all of one contract."""
