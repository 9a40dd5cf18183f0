"""The database itself refuses to change or remove an order's event or a trade."""

from django.db import migrations

from rms.sql import append_only, drop_append_only

TABLES = ("oms_orderevent", "oms_trade")


class Migration(migrations.Migration):
    dependencies = [("oms", "0002_initial"), ("rms", "0003_ledger_triggers")]

    operations = [migrations.RunSQL(append_only(TABLES), drop_append_only(TABLES))]
