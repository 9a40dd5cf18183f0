"""Statements that a connection keeps, against PostgreSQL."""

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from feeds import rows, statements
from feeds.statements import Template, template

NUMBER = "SELECT %s::int + 1"
KNOWN = "SELECT count(*), sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE %s"


def known(text):
    """How many statements this connection keeps of messages like that, planned how often for any value and for one."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [f"PREPARE%{text}%"])
        return cursor.fetchone()


def test_values_become_numbered_places():
    assert template("SELECT %s, %s::text") == Template("SELECT $1, $2::text", "(%s, %s)")


def test_a_value_that_is_named_twice_is_given_once():
    asked = "SELECT %(low)s WHERE %(high)s > %(low)s"
    assert template(asked) == Template("SELECT $1 WHERE $2 > $1", "(%(low)s, %(high)s)")


def test_a_per_cent_sign_of_the_statement_is_no_place():
    assert template("SELECT 7 %% 4, 'a%%s'") == Template("SELECT 7 % 4, 'a%s'", "")


@pytest.mark.django_db(transaction=True)
class TestAConnection:
    @pytest.fixture(autouse=True)
    def new_connection(self):
        connection.close()

    def test_is_told_a_statement_once_and_plans_it_for_any_value(self):
        assert [rows.fetch_each((NUMBER, [number])) for number in (1, 41)] == [[[(2,)]], [[(42,)]]]
        assert known("$1::int + 1") == (1, 2, 0)

    def test_may_hear_a_new_statement_twice_in_one_message(self):
        assert rows.fetch_each((NUMBER, [1]), (NUMBER, [2]), ("SELECT %(a)s::text", {"a": "x"})) == [
            [(2,)], [(3,)], [("x",)]
        ]  # fmt: skip
        assert known("")[0] == 2

    def test_knows_a_statement_after_the_transaction_that_told_it_was_undone(self):
        with transaction.atomic():
            rows.fetch_each((NUMBER, [1]))
            transaction.set_rollback(True)
        assert rows.fetch_each((NUMBER, [2])) == [[(3,)]]
        assert known("$1::int + 1")[0] == 1

    def test_is_asked_again_after_a_message_that_failed_when_half_of_it_was_told(self):
        with pytest.raises(DataError), transaction.atomic():
            rows.fetch_each((NUMBER, [1]), ("SELECT 1 / %s::int", [0]))
        assert rows.fetch_each((NUMBER, [1]), ("SELECT 4 / %s::int", [2])) == [[(2,)], [(2,)]]

    def test_that_is_new_is_told_everything_again(self):
        rows.fetch_each((NUMBER, [1]))
        connection.close()
        assert rows.fetch_each((NUMBER, [2])) == [[(3,)]]

    def test_keeps_no_more_than_it_may(self, monkeypatch):
        monkeypatch.setattr(statements, "MOST", 2)
        asked = [f"SELECT %s::int + {number}" for number in range(5)]
        assert [rows.fetch_each((each, [1])) for each in asked] == [[[(1 + number,)]] for number in range(5)]
        assert known("$1::int +")[0] == 2

    def test_plans_what_it_keeps_again_after_a_while(self, monkeypatch):
        rows.fetch_each((NUMBER, [1]))
        monkeypatch.setattr(statements, "PLANS_SECONDS", 0.0)
        with CaptureQueriesContext(connection) as captured:
            assert rows.fetch_each((NUMBER, [2])) == [[(3,)]]
        assert captured[0]["sql"].startswith("DISCARD PLANS;\nEXECUTE")

    def test_keeps_nothing_behind_a_pooler_that_cannot(self, settings):
        settings.DATABASE_KEEPS_PLANS = False
        assert rows.fetch_each((NUMBER, [1])) == [[(2,)]]
        assert known("$1::int + 1")[0] == 0

    def test_takes_what_is_to_be_written_before_what_is_asked_next(self):
        with transaction.atomic(), rows.sent_together():
            rows.write("CREATE TEMPORARY TABLE told (number int)", None)
            rows.fetch_each(("SELECT 1", None))
            rows.write("INSERT INTO told SELECT * FROM unnest(%s::int[])", [[3, 4]])
            assert rows.fetch_each(("SELECT number FROM told WHERE number = ANY(%s)", [[4, 5]])) == [[(4,)]]
