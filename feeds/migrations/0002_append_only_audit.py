"""The database itself refuses to change or remove an audit entry."""

from django.db import migrations

from feeds.sql import APPEND_ONLY_AUDIT, DROP_APPEND_ONLY_AUDIT


class Migration(migrations.Migration):
    dependencies = [("feeds", "0001_initial")]

    operations = [migrations.RunSQL(APPEND_ONLY_AUDIT, DROP_APPEND_ONLY_AUDIT)]
