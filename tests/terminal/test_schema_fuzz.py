"""Requests made from the OpenAPI schema, as a trader, a risk manager and an admin: never a 5xx, and every answer as
the schema says it. In process: no server is started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from redis import Redis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import token_digest

CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance]
ROLES = ("trader", "risk", "admin")
INSTRUMENTS = (None, "NSE_FNO.49001", "IDX_I.13", "NSE_EQ.999999")
"""An option, what cannot be traded, and what there is not; None: nothing is aimed at."""
PHASES = [Phase.generate]
"""What fails is shown as it is: making it smaller would take longer than finding it."""
QUICK_EXAMPLES = 3
SOAK_EXAMPLES = 150


def bearer(user: User, role: str) -> dict[str, str]:
    text = f"btt_fuzz_{role}"
    ApiToken.objects.create(user=user, name=role, prefix=text[:12], digest=token_digest(text))
    return {"Authorization": f"Token {text}"}


def known_ids(things: dict[str, str]) -> dict[str, int]:
    """By the first word of an address the id of a row that is there."""
    filled = {pattern.strip("/").split("/")[0]: text for pattern, text in things.items() if "<int:pk>" in pattern}
    return {word: int(text.rpartition("/")[2]) for word, text in filled.items()}


def aim(case: Any, ids: dict[str, int], account: int, instrument: str) -> None:
    """At rows that are there: a random number would hardly ever find one."""
    word = case.operation.path.removeprefix("/api/v2/").split("/")[0]
    if case.path_parameters and "id" in case.path_parameters and word in ids:
        case.path_parameters["id"] = ids[word]
    body = case.body if isinstance(case.body, dict) else {}
    legs = [leg for name in ("orders", "legs") for leg in body.get(name) or [] if isinstance(leg, dict)]
    for each in (body, *legs):
        each.update({"instrument": instrument} if "instrument" in each else {})
        each.update({"account": account} if "account" in each else {})


@pytest.fixture
def kept_connection(db: None) -> Iterator[None]:
    """A request's end would close the connection that holds the test's transaction, as Django's own client knows."""
    told = [(request_started, close_old_connections), (request_finished, close_old_connections)]
    for signal, receiver in told:
        signal.disconnect(receiver)
    yield
    for signal, receiver in told:
        signal.connect(receiver)


@pytest.fixture
def fuzz(kept_connection: None, people: dict[str, User], things: dict[str, str], redis: Redis) -> Any:
    """Every operation with so many requests of one person."""
    api = schemathesis.openapi.from_wsgi("/api/v2/schema?format=json", get_wsgi_application())
    ids, account = known_ids(things), int(things["{account}"])

    def run(role: str, examples: int) -> set[str]:
        headers, asked = bearer(people[role], role), set()
        for found in api.get_all_operations():
            operation = found.ok()
            asked.add(f"{operation.method.upper()} {operation.path}")

            @hypothesis.settings(
                max_examples=examples, deadline=None, database=None, phases=PHASES,
                suppress_health_check=list(HealthCheck), derandomize=examples == QUICK_EXAMPLES,
            )  # fmt: skip
            @given(case=operation.as_strategy(), instrument=st.sampled_from(INSTRUMENTS))
            def ask(case: Any, instrument: str | None) -> None:
                if instrument is not None:
                    aim(case, ids, account, instrument)
                with transaction.atomic():
                    case.call_and_validate(headers=headers, checks=CHECKS)
                    transaction.set_rollback(True)

            ask()
        return asked

    return run


@pytest.mark.django_db
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ROLES)
def test_no_request_that_the_schema_allows_breaks_the_server(role: str, fuzz: Any) -> None:
    asked = fuzz(role, QUICK_EXAMPLES)
    assert {"POST /api/v2/orders", "PATCH /api/v2/orders/{id}", "POST /api/v2/baskets/{id}/place"} <= asked


@pytest.mark.soak
@pytest.mark.django_db
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", ROLES)
def test_nor_do_many(role: str, fuzz: Any) -> None:
    fuzz(role, SOAK_EXAMPLES)
