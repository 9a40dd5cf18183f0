"""The operations panel's pages, inside the admin site under /admin/ops/."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from terminal.ops import enrol, views


def urls_of(site: AdminSite) -> list[URLPattern]:
    """`enrol` guards itself: it is for those whom the site does not let in yet."""
    return [
        path("ops/status", site.admin_view(views.status), name="ops_status"),
        path("ops/minutes", site.admin_view(views.minutes), name="ops_minutes"),
        path("ops/positions", site.admin_view(views.positions), name="ops_positions"),
        path("ops/positions/reading", site.admin_view(views.positions_reading), name="ops_positions_reading"),
        path("ops/actions/<slug:name>", site.admin_view(views.act), name="ops_action"),
        path("ops/chains/preview", site.admin_view(views.chain_preview), name="ops_chain_preview"),
        path("ops/enrol", enrol.enrol, name="enrol"),
    ]
