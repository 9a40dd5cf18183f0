"""Books in the admin: lists with filters and an export, pages to look at, and no address that changes anything."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET
from unfold.admin import TabularInline
from unfold.views import ChangeList

from feeds import audit
from feeds.audited_admin import ReadOnlyAdmin

EXPORT_CHUNK = 500
"""Rows of a file that are in memory at a time."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would compute what begins so (OWASP, CSV injection)."""
PAGES_OF_A_BOOK = ("_changelist", "_change", "_export")

Column = tuple[str, Callable[[Any], Any]]
"""A heading of the exported file, and what stands below it."""


@dataclass(frozen=True)
class Tool:
    """A button above a list: an action of the operations panel, for who holds the permission."""

    label: str
    icon: str
    action: str
    permission: str


class BookChangeList(ChangeList):
    """A list whose rows may carry figures that are worked out for a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.model_admin.complete(self.result_list)


class BookAdmin(ReadOnlyAdmin):
    """Rows that only the services add to. There is no address to add, change or delete one."""

    export_columns: tuple[Column, ...] = ()
    tools: tuple[Tool, ...] = ()
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False  # counting every row again for each search is the slow part
    list_before_template = "admin/ops/list_tools.html"

    def complete(self, rows: Sequence[Any]) -> None:
        """Give the rows of a page, or of a part of the export, what their columns need beside their fields."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BookChangeList

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        export = [path("export/", self.admin_site.admin_view(self.export), name=name)] if self.export_columns else []
        kept = [url for url in super().get_urls() if (url.name or "").endswith(PAGES_OF_A_BOOK)]
        return [*export, *kept]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        links = tool_links(request, self.tools)
        if self.export_columns:
            links.append((f"export/?{request.GET.urlencode()}", "download", "Export CSV"))
        return super().changelist_view(request, {"tool_links": links, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Nobody edits these rows, so they have no history page."""
        return super().change_view(request, object_id, form_url, {"show_history": False, **(extra_context or {})})

    @method_decorator(require_GET)
    def export(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """The list as it is filtered, all pages of it, as a file that grows while it is sent."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        record_export(request, self.opts.model_name or "")
        response = StreamingHttpResponse(self.lines(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}s.csv"'
        return response

    async def lines(self, rows: QuerySet[Any]) -> AsyncIterator[str]:
        yield csv_text([[heading for heading, _ in self.export_columns]])
        part: list[Any] = []
        async for row in rows.aiterator(chunk_size=EXPORT_CHUNK):
            part.append(row)
            if len(part) == EXPORT_CHUNK:
                yield await sync_to_async(self.text_of)(part)
                part = []
        yield await sync_to_async(self.text_of)(part)

    def text_of(self, rows: Sequence[Any]) -> str:
        self.complete(rows)
        return csv_text([value_of(row) for _, value_of in self.export_columns] for row in rows)


class BookInline(TabularInline):
    """Rows below the row that they belong to, to look at."""

    extra = 0
    can_delete = False
    hide_title = True
    tab = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def moment_text(moment: datetime | None) -> str:
    """As every other column of the admin shows a time."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else "-"


def clock_text(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment), "TIME_FORMAT")


def tool_links(request: HttpRequest, tools: Iterable[Tool]) -> list[tuple[str, str, str]]:
    """(address, icon, label) of the tools that this user may use."""
    allowed = [tool for tool in tools if request.user.has_perm(tool.permission)]
    return [(reverse("admin:ops_action", args=[tool.action]), tool.icon, tool.label) for tool in allowed]


def record_export(request: HttpRequest, name: str) -> None:
    """Who took which rows out of the house is worth knowing."""
    address = audit.client_address(request.META)
    audit.record(request.user, f"{name}.export", name, details={"filters": request.GET.urlencode()}, address=address)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([safe_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def safe_cell(value: Any) -> Any:
    """Numbers stay numbers; text that a spreadsheet would take for a formula is quoted."""
    if value is None or isinstance(value, (int, Decimal)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
