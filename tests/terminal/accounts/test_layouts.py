"""The layout: one for each user, saved over the version that was read."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from rest_framework.test import APIClient

from terminal.accounts.layouts import LARGEST_BYTES, LayoutRefused, layout_of, save_layout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def asha() -> User:
    return User.objects.create(username="asha")


@pytest.fixture
def client(asha: User, redis: Redis) -> APIClient:
    client = APIClient()
    client.force_authenticate(asha)
    return client


def test_before_the_first_it_is_version_0_and_empty(client: APIClient) -> None:
    assert client.get("/api/v2/layout").json() == {"version": 0, "layout": {}}


def test_it_comes_back_as_it_was_saved_under_the_next_version(client: APIClient) -> None:
    layout = {"panels": [{"id": "chain", "params": {"underlying": "NIFTY"}}], "theme": "dark", "text": "₹\x00"}
    saved = client.put("/api/v2/layout", {"version": 0, "layout": layout}, format="json")
    assert (saved.status_code, saved.json()) == (200, {"version": 1, "layout": layout})
    assert client.get("/api/v2/layout").json() == {"version": 1, "layout": layout}


def test_of_two_pages_that_read_the_same_the_second_is_told_the_version(client: APIClient) -> None:
    client.put("/api/v2/layout", {"version": 0, "layout": {"page": 1}}, format="json")
    late = client.put("/api/v2/layout", {"version": 0, "layout": {"page": 2}}, format="json")
    assert (late.status_code, late.json()["code"], late.json()["details"]) == (409, "CONFLICT", {"version": 1})
    assert client.get("/api/v2/layout").json() == {"version": 1, "layout": {"page": 1}}


def test_a_version_that_was_never_there_is_refused_and_leaves_nothing(client: APIClient) -> None:
    early = client.put("/api/v2/layout", {"version": 7, "layout": {}}, format="json")
    assert (early.status_code, early.json()["details"]) == (409, {"version": 0})


def test_more_than_256_kilobytes_are_refused(client: APIClient, asha: User) -> None:
    frame = len('{"a":""}')
    assert client.put("/api/v2/layout", {"version": 0, "layout": {"a": "x" * (LARGEST_BYTES - frame)}}, format="json")
    assert layout_of(asha).version == 1
    refused = client.put(
        "/api/v2/layout", {"version": 1, "layout": {"a": "x" * (LARGEST_BYTES - frame + 1)}}, format="json"
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID")
    assert layout_of(asha).version == 1


@pytest.mark.parametrize("body", [{"version": 0}, {"version": -1, "layout": {}}, {"version": 0, "layout": [1]}])
def test_what_is_no_layout_is_refused(client: APIClient, body: dict[str, object]) -> None:
    assert client.put("/api/v2/layout", body, format="json").status_code == 400


def test_numbers_that_nobody_can_write_again_are_refused(asha: User) -> None:
    with pytest.raises(LayoutRefused):
        save_layout(user=asha, version=0, layout={"a": 2**64})


def test_each_user_has_their_own(client: APIClient) -> None:
    client.put("/api/v2/layout", {"version": 0, "layout": {"page": 1}}, format="json")
    assert layout_of(User.objects.create(username="ravi")) == (0, {})


@given(layout=st.dictionaries(st.text(), ANY_JSON, max_size=4))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_kept(asha: User, layout: dict[str, object]) -> None:
    before = layout_of(asha).version
    as_saved = save_layout(user=asha, version=before, layout=layout)
    assert (as_saved.version, layout_of(asha)) == (before + 1, as_saved)
