"""Money is whole paise everywhere: no column and no line of code that moves it knows a float (I18, I10)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
MONEY_CODE = [
    "rms/ledger.py",
    "rms/holds.py",
    "rms/fills.py",
    "rms/funds.py",
    "rms/audit_ledger.py",
    "rms/core/position.py",
    "oms/process/writing.py",
]
PERCENT_COLUMNS = {"price_deviation_percent"}
"""A share of a price, not a price."""


def columns() -> list[models.Field]:
    configs = (apps.get_app_config("rms"), apps.get_app_config("oms"))
    return [column for config in configs for model in config.get_models() for column in model._meta.get_fields()]


def test_no_column_holds_a_float_and_no_money_is_decimal():
    wrong = [
        str(column)
        for column in columns()
        if isinstance(column, models.FloatField | models.DecimalField) and column.name not in PERCENT_COLUMNS
    ]
    assert wrong == []


MONEY = re.compile(r"cash|margin|amount|price|cost|value|pnl|floor|realised|loss$|jump")


def test_every_column_of_money_is_a_big_integer():
    concrete = [column for column in columns() if getattr(column, "concrete", False)]
    money = [column for column in concrete if MONEY.search(column.name) and column.name not in PERCENT_COLUMNS]
    wrong = [
        str(column)
        for column in money
        if not isinstance(column, models.BigIntegerField | models.JSONField | models.BooleanField)
    ]
    assert len(money) > 30
    assert wrong == []


def floats_in(source: str) -> list[str]:
    """Constants, calls and true divisions that make one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        is_constant = isinstance(node, ast.Constant) and isinstance(node.value, float)
        is_call = isinstance(node, ast.Name) and node.id == "float"
        is_division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if is_constant or is_call or is_division:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", MONEY_CODE)
def test_code_that_moves_money_makes_no_float(path):
    assert floats_in((ROOT / path).read_text()) == []


def test_the_search_finds_what_it_is_for():
    assert floats_in("a = 0.5; b = float(a); c = a / b; d //= 2") == ["0.5", "a / b", "float"]


def writers_of_cash() -> set[str]:
    """Files that could change a balance: SQL that names the columns of funds, or the model's own ways."""
    pattern = re.compile(r"UPDATE rms_funds|INSERT INTO rms_(entry|funds)|Funds\.objects\.[a-z_().]*(update|create)")
    files = [path for package in ("rms", "oms", "feeds", "terminal") for path in (ROOT / package).rglob("*.py")]
    return {str(path.relative_to(ROOT)) for path in files if pattern.search(path.read_text())}


def test_only_the_ledger_writes_balances_and_facts_only_their_number():
    assert writers_of_cash() == {"rms/ledger.py", "rms/facts.py"}
