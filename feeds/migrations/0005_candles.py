"""One-minute candles, in a table partitioned by trading date and tier."""

from django.db import migrations, models

from feeds.sql import CANDLES, DROP_CANDLES


class Migration(migrations.Migration):

    dependencies = [
        ('feeds', '0004_search_spots'),
    ]

    operations = [
        migrations.RunSQL(CANDLES, DROP_CANDLES),
        migrations.CreateModel(
            name='Candle',
            fields=[
                ('pk', models.CompositePrimaryKey('code', 'start', 'trading_date', 'tier', blank=True, editable=False, primary_key=True, serialize=False)),
                ('code', models.BigIntegerField(help_text='InstrumentKey.code; the instrument may have expired meanwhile.')),
                ('start', models.BigIntegerField(help_text='Seconds since 1970 UTC.')),
                ('trading_date', models.DateField()),
                ('tier', models.PositiveSmallIntegerField(choices=[(0, 'Tier A'), (1, 'Tier B and references')])),
                ('open', models.IntegerField(help_text='Paise.')),
                ('high', models.IntegerField()),
                ('low', models.IntegerField()),
                ('close', models.IntegerField()),
                ('volume', models.BigIntegerField()),
                ('open_interest', models.BigIntegerField()),
                ('partial', models.BooleanField(help_text='Ticks of this minute may have been missed.')),
            ],
            options={
                'db_table': 'feeds_candle',
                'managed': False,
            },
        ),
    ]
