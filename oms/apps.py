"""Orders and their execution."""

from __future__ import annotations

from django.apps import AppConfig


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "Orders"

    def ready(self) -> None:
        from oms.audit_ledger import live_references, trades
        from oms.topics import parts_of
        from rms.audit_ledger import register_live_references, register_trades
        from rms.topics import register_part

        register_part(parts_of)
        register_trades(trades)
        register_live_references(live_references)
