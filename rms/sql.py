"""SQL that migrations run because models cannot say it: the last line behind the ledger, whoever writes."""

from __future__ import annotations

from collections.abc import Iterable

APPEND_ONLY = ("rms_transfer", "rms_entry", "rms_accountfact", "rms_positionchange")

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
"""
DROP_REFUSE_CHANGE = "DROP FUNCTION refuse_change();"


def append_only(tables: Iterable[str]) -> str:
    """Triggers that refuse every change of rows. TRUNCATE has its own: a test database switches it off."""
    return "".join(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
        for table in tables
    )


def drop_append_only(tables: Iterable[str]) -> str:
    return "".join(
        f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};\n"
        for table in tables
    )


BALANCED = """
CREATE FUNCTION refuse_unbalanced_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved bigint := CASE TG_TABLE_NAME WHEN 'rms_transfer' THEN (to_jsonb(NEW) ->> 'id')::bigint
        ELSE (to_jsonb(NEW) ->> 'transfer_id')::bigint END;
    legs bigint;
    total numeric;
BEGIN
    SELECT count(*), coalesce(sum(amount), 0) INTO legs, total FROM rms_entry WHERE transfer_id = moved;
    IF legs < 2 OR total <> 0 THEN
        RAISE EXCEPTION 'transfer % has % legs that sum to %', moved, legs, total USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER rms_transfer_balanced AFTER INSERT ON rms_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced_transfer();
CREATE CONSTRAINT TRIGGER rms_entry_balanced AFTER INSERT ON rms_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced_transfer();
"""
"""Asked at the commit: each transfer has two legs or more that sum to zero, also one that got an entry later."""

DROP_BALANCED = """
DROP TRIGGER rms_transfer_balanced ON rms_transfer;
DROP TRIGGER rms_entry_balanced ON rms_entry;
DROP FUNCTION refuse_unbalanced_transfer();
"""

ENDED_FOR_GOOD = """
CREATE FUNCTION refuse_ended_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hold % was % for good', OLD.reference, lower(OLD.state) USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER rms_hold_ended_for_good BEFORE UPDATE ON rms_hold
    FOR EACH ROW WHEN (OLD.state <> 'HELD') EXECUTE FUNCTION refuse_ended_hold();
"""
"""A hold is posted or voided once: nothing brings it back, and nothing ends it a second time."""

DROP_ENDED_FOR_GOOD = """
DROP TRIGGER rms_hold_ended_for_good ON rms_hold;
DROP FUNCTION refuse_ended_hold();
"""
