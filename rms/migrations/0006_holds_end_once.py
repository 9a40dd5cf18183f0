"""The database itself refuses to change a hold that has ended."""

from django.db import migrations

from rms.sql import DROP_ENDED_FOR_GOOD, ENDED_FOR_GOOD


class Migration(migrations.Migration):
    dependencies = [("rms", "0005_second_person")]

    operations = [migrations.RunSQL(ENDED_FOR_GOOD, DROP_ENDED_FOR_GOOD)]
