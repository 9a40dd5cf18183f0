"""Orders and their execution."""

from __future__ import annotations

from django.apps import AppConfig


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "Orders"

    def ready(self) -> None:
        from oms.audit_ledger import live_references, trades
        from oms.jobs import register_jobs
        from oms.services import cancel_for_switch
        from oms.topics import parts_of
        from rms.audit_ledger import register_live_references, register_trades
        from rms.kill_switch import register_on_engage
        from rms.topics import register_part

        register_on_engage(cancel_for_switch)
        register_part(parts_of)
        register_trades(trades)
        register_live_references(live_references)
        register_jobs()
