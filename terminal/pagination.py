"""Pages of a list: page and page_size in, {count, next, previous, results} out."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """At most 200 a page, so that one request costs a bounded amount."""

    page_size_query_param = "page_size"
    max_page_size = 200
