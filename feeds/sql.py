"""SQL that migrations run because models cannot say it."""

from __future__ import annotations

APPEND_ONLY_AUDIT = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON feeds_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON feeds_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
"""
"""Whoever writes past the model (a query, psql) is refused too. The two triggers are apart, so that a test database,
which empties its tables between tests, can switch the second off."""

DROP_APPEND_ONLY_AUDIT = """
DROP TRIGGER audit_append_only ON feeds_auditentry;
DROP TRIGGER audit_no_truncate ON feeds_auditentry;
DROP FUNCTION refuse_audit_change();
"""

CANDLES = """
CREATE TABLE feeds_candle (
    code bigint NOT NULL,
    start bigint NOT NULL,
    trading_date date NOT NULL,
    tier smallint NOT NULL,
    open integer NOT NULL,
    high integer NOT NULL,
    low integer NOT NULL,
    close integer NOT NULL,
    volume bigint NOT NULL,
    open_interest bigint NOT NULL,
    partial boolean NOT NULL,
    PRIMARY KEY (code, start, trading_date, tier)
) PARTITION BY RANGE (trading_date, tier);
"""
"""A partition holds one tier's minutes of one day: they are read by instrument and time, and dropped whole."""

DROP_CANDLES = "DROP TABLE feeds_candle;"
