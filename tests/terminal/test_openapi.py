"""The API describes itself: completely, without a warning, with its page under the content policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient
from yaml import safe_load


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict:
    file = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    return safe_load(Path(file).read_text())


def test_every_operation_has_a_name_a_summary_and_the_error_shape(schema: dict) -> None:
    operations = [each for path in schema["paths"].values() for each in path.values()]
    assert len(operations) == 79
    for operation in operations:
        assert operation["summary"], operation
        content = operation["responses"]["429"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}


def test_the_two_calls_kept_by_name_are_there(schema: dict) -> None:
    assert {"/api/v2/watchlist/add", "/api/v2/watchlist/remove"} <= set(schema["paths"])


@pytest.mark.django_db
def test_the_page_has_no_inline_script() -> None:
    answer = APIClient().get("/api/v2/docs")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert all("src=" in tag for tag in page.split("<script")[1:])
    assert "unsafe-inline" not in answer["Content-Security-Policy"].partition("style-src")[0]


@pytest.mark.django_db
def test_the_about_page_links_to_the_documentation_and_the_admin() -> None:
    page = APIClient().get("/about").content.decode()
    assert '"/api/v2/docs"' in page
    assert '"/admin/"' in page
