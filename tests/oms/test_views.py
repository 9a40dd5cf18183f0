"""Orders over REST: money as rupees, repeats with their first answer, refusals in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from oms.models import Order
from tests.oms.floor import CALL, FUTURE, PUT, SHARE, Floor

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(floor: Floor) -> APIClient:
    client = APIClient()
    client.force_authenticate(floor.trader)
    return client


def body(floor: Floor, **fields: Any) -> dict[str, Any]:
    return {
        "account": floor.account.pk, "instrument": str(CALL), "side": "BUY", "quantity": 65, "product": "MARGIN",
        "limit_price": "150.00", **fields,
    }  # fmt: skip


def place(client: APIClient, floor: Floor, **fields: Any) -> Any:
    return client.post("/api/v2/orders", body(floor, **fields), format="json")


def test_an_order_is_placed_with_rupees_and_told_with_rupees(client: APIClient, floor: Floor) -> None:
    answer = place(client, floor, client_reference="breakout-17")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["status"], told["limit_price"], told["instrument"]) == ("TRANSIT", "150.00", str(CALL))
    assert told["placed_at"].endswith("+05:30")
    assert client.get(f"/api/v2/accounts/{floor.account.pk}/funds").json()["held_margin"] == "9750.00"


def test_a_repeat_gets_the_first_answer_and_another_body_is_refused(client: APIClient, floor: Floor) -> None:
    first = place(client, floor, client_reference="once")
    again = place(client, floor, client_reference="once")
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    other = place(client, floor, client_reference="once", quantity=130)
    assert (other.status_code, other.json()["code"]) == (422, "REFERENCE_TAKEN")
    assert other.json()["details"]["order_id"] == first.json()["id"]
    assert Order.objects.count() == 1


def test_the_header_is_the_reference_and_may_not_contradict_it(client: APIClient, floor: Floor) -> None:
    for _ in range(2):
        answer = client.post("/api/v2/orders", body(floor), format="json", headers={"Idempotency-Key": "key-1"})
        assert (answer.status_code, answer.json()["client_reference"]) == (201, "key-1")
    assert Order.objects.count() == 1
    asked = body(floor, client_reference="key-2")
    answer = client.post("/api/v2/orders", asked, format="json", headers={"Idempotency-Key": "key-1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")


def test_a_refusal_is_422_in_words_and_so_is_its_repeat(client: APIClient, floor: Floor) -> None:
    for _ in range(2):
        answer = place(client, floor, client_reference="too-much", quantity=65 * 1000, slice=True)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "INSUFFICIENT_MARGIN")
        assert (told["details"]["required"], told["details"]["available"]) == ("9750000.00", "1000000.00")
    [stored] = Order.objects.all()
    assert (stored.status, stored.pk) == ("REJECTED", told["details"]["order_id"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit_price", "150.005"), ("limit_price", "-1"), ("limit_price", True), ("quantity", 0), ("side", "HOLD"),
     ("instrument", "NSE_FNO"), ("client_reference", "é"), ("limit_price", "NaN")],
)  # fmt: skip
def test_what_makes_no_sense_is_400_and_stored_nowhere(
    client: APIClient, floor: Floor, field: str, value: object
) -> None:
    answer = place(client, floor, **{field: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")
    assert field in answer.json()["details"]
    assert not Order.objects.exists()


def test_a_pair_of_exits_without_prices_is_400(client: APIClient, floor: Floor) -> None:
    answer = place(client, floor, oco=True, stop_price="140.00")
    assert (answer.status_code, list(answer.json()["details"])) == (400, ["target_price"])


def test_what_cannot_be_traded_is_refused_and_what_is_not_there_is_unknown(client: APIClient, floor: Floor) -> None:
    answer = place(client, floor, instrument="NSE_EQ.999999")
    assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_INSTRUMENT")


def test_an_order_is_changed_and_cancelled(client: APIClient, floor: Floor) -> None:
    order = floor.to(floor.place(), "OPEN")
    changed = client.patch(f"/api/v2/orders/{order.pk}", {"limit_price": "149.00"}, format="json")
    assert (changed.status_code, changed.json()["modify_requested"]) == (200, True)
    cancelled = client.delete(f"/api/v2/orders/{order.pk}")
    assert (cancelled.status_code, cancelled.json()["cancel_requested"]) == (200, True)
    kinds = [event["kind"] for event in client.get(f"/api/v2/orders/{order.pk}/events").json()]
    assert kinds[0] == "PLACED"
    assert kinds[-2:] == ["MODIFY_REQUESTED", "CANCEL_REQUESTED"]
    floor.to(order, "CANCELLED")
    again = client.delete(f"/api/v2/orders/{order.pk}")
    assert (again.status_code, again.json()["code"]) == (409, "NOT_CHANGEABLE")


def test_the_book_is_filtered_and_ordered(client: APIClient, floor: Floor) -> None:
    first, second = floor.place(), floor.to(floor.place(PUT), "CANCELLED")

    def ids(**query: object) -> list[int]:
        return [order["id"] for order in client.get("/api/v2/orders", query).json()["results"]]

    assert ids() == [second.pk, first.pk]
    assert ids(order_by="id") == [first.pk, second.pk]
    assert ids(live=True) == [first.pk]
    assert ids(status=["CANCELLED", "FILLED"]) == [second.pk]
    assert ids(instrument=str(CALL)) == [first.pk]
    assert ids(first="2026-02-04") == []
    assert client.get("/api/v2/orders", {"status": "GONE"}).status_code == 400


def test_who_only_sees_all_accounts_may_not_trade_them_and_risk_may_close(floor: Floor, client: APIClient) -> None:
    from terminal.accounts.roles import ensure_roles

    groups = ensure_roles()
    for role, cancelling in (("operator", 403), ("risk", 200)):
        user = User.objects.create_user(role)
        user.groups.add(groups[role])
        staff = APIClient()
        staff.force_authenticate(user)
        assert place(staff, floor).status_code == 403
        assert staff.delete(f"/api/v2/orders/{floor.place().pk}").status_code == cancelling


def test_margin_names_its_policy_and_shows_the_benefit_of_a_hedge(client: APIClient, floor: Floor) -> None:
    legs = [
        {"instrument": str(FUTURE), "side": "BUY", "product": "MARGIN", "quantity": 65},
        {"instrument": str(PUT), "side": "BUY", "product": "MARGIN", "quantity": 65},
    ]
    answer = client.post("/api/v2/margin", {"account": floor.account.pk, "orders": legs}, format="json")
    told = answer.json()
    assert answer.status_code == 200, told
    assert told["together"]["is_estimate"]
    assert told["together"]["policy"]
    assert float(told["benefit"]) == round(float(told["alone"]) - float(told["together"]["to_open"]), 2) > 0
    assert Order.objects.count() == 0


def test_a_basket_is_kept_looked_at_and_placed_as_one(client: APIClient, floor: Floor) -> None:
    legs = [
        {"instrument": str(key), "side": "BUY", "order_type": "LIMIT", "product": "MARGIN", "quantity": 65,
         "limit_price": price} for key, price in ((CALL, "150.00"), (PUT, "1.00"))
    ]  # fmt: skip
    made = client.post("/api/v2/baskets", {"account": floor.account.pk, "name": "pair", "legs": legs}, format="json")
    assert (made.status_code, [leg["limit_price"] for leg in made.json()["legs"]]) == (201, ["150.00", "1.00"])
    address = f"/api/v2/baskets/{made.json()['id']}"
    taken = client.post("/api/v2/baskets", {"account": floor.account.pk, "name": "pair", "legs": legs}, format="json")
    assert (taken.status_code, taken.json()["code"]) == (409, "NAME_TAKEN")
    refused = client.post(f"{address}/place", {"client_reference": "b1"}, format="json")
    looked = client.post(f"{address}/preview", {}, format="json").json()
    assert [bool(leg["code"]) for leg in looked["legs"]] == [False, refused.status_code == 422]
    client.patch(address, {"legs": legs[:1]}, format="json")
    for _ in range(2):
        placed = client.post(f"{address}/place", {"client_reference": "b2"}, format="json")
        assert (placed.status_code, len(placed.json()["orders"])) == (201, 1)
    assert client.delete(address).status_code == 204


def test_positions_are_marked_live_converted_and_squared_off(client: APIClient, floor: Floor) -> None:
    floor.fill(CALL, 130, 14_000)
    books = client.get(f"/api/v2/accounts/{floor.account.pk}/positions").json()
    [position] = books["positions"]
    assert (position["average_price"], position["last_price"]) == ("140.00", "150.00")
    assert (position["unrealised_pnl"], books["unrealised_pnl"]) == ("1300.00", "1300.00")
    assert (books["pnl_method"], books["complete"]) == ("MOVING_AVERAGE", True)
    asked = {
        "account": floor.account.pk, "instrument": str(CALL), "quantity": 65, "from_product": position["product"],
        "to_product": "INTRADAY" if position["product"] == "MARGIN" else "MARGIN",
    }  # fmt: skip
    converted = client.post("/api/v2/positions/convert", asked, format="json")
    assert converted.status_code == 200, converted.json()
    assert sorted(row["quantity"] for row in converted.json()) == [65, 65]
    closing = client.post("/api/v2/positions/square-off", {"account": floor.account.pk}, format="json").json()["orders"]
    assert [(order["side"], order["quantity"], order["source"]) for order in closing] == [
        ("SELL", 65, "SQUARE_OFF")
    ] * 2


# --- what an order may say --------------------------------------------------------------------------


def terms(client: APIClient, key: object) -> dict[str, Any]:
    return client.get(f"/api/v2/order-terms/{key}").json()


def test_the_terms_of_an_option_name_what_is_taken_and_what_protects_a_market_order(
    client: APIClient, floor: Floor
) -> None:
    floor.tick(CALL, 15_230)
    told = terms(client, CALL)
    assert told["now"] == {
        "order_types": ["MARKET", "LIMIT", "STOP_LOSS"], "validities": ["DAY", "IOC"], "disclosed": False,
    }  # fmt: skip
    assert (told["phase"], told["products"], told["lot"]) == ("CONTINUOUS", ["INTRADAY", "MARGIN"], 65)
    assert told["protected_price"] == {"BUY": "167.50", "SELL": "137.10"}
    assert (told["least_disclosed_percent"], told["after_market"]) == (None, False)


def test_a_closed_market_takes_nothing_now_but_after_market_orders_for_its_opening(
    client: APIClient, floor: Floor
) -> None:
    floor.at("2026-02-03 16:00")
    told = terms(client, SHARE)
    assert (told["phase"], told["now"]["order_types"]) == ("CLOSED", [])
    assert (told["after_market"], told["next_open"]) == (True, "2026-02-04T09:15:00+05:30")
    assert told["when_open"]["order_types"] == ["MARKET", "LIMIT", "STOP_LOSS", "STOP_LOSS_MARKET"]
    assert (told["products"], told["least_disclosed_percent"]) == (["CNC", "INTRADAY", "MTF"], "30")


def test_an_index_takes_no_orders_and_what_is_unknown_has_no_terms(client: APIClient, floor: Floor) -> None:
    told = terms(client, "IDX_I.13")
    assert (told["now"]["order_types"], told["when_open"]["order_types"], told["products"]) == ([], [], [])
    assert client.get("/api/v2/order-terms/NSE_FNO.1").status_code == 404
    assert client.get("/api/v2/order-terms/nonsense").status_code == 404
