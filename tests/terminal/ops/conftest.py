"""What the operations panel acts on."""

from __future__ import annotations

import pytest

from feeds.models import DhanAccount
from tests.conftest import browser, people  # noqa: F401 the demo's people, not those of the table of access


@pytest.fixture
def account(db):
    return DhanAccount.objects.create(name="desk", client_id="1000000001")
