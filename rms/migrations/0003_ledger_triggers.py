"""The database itself refuses an unbalanced transfer, and every change of what is only ever added."""

from django.db import migrations

from rms.sql import (
    APPEND_ONLY,
    BALANCED,
    DROP_BALANCED,
    DROP_REFUSE_CHANGE,
    REFUSE_CHANGE,
    append_only,
    drop_append_only,
)


class Migration(migrations.Migration):
    dependencies = [("rms", "0002_position_changes")]

    operations = [
        migrations.RunSQL(REFUSE_CHANGE, DROP_REFUSE_CHANGE),
        migrations.RunSQL(append_only(APPEND_ONLY), drop_append_only(APPEND_ONLY)),
        migrations.RunSQL(BALANCED, DROP_BALANCED),
    ]
