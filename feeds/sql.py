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
