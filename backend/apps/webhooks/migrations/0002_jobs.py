import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookmessage',
            name='lease_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='webhookmessage',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='webhookmessage',
            name='lease',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='webhookmessage',
            name='next_attempt_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='webhookmessage',
            name='reason',
            field=models.CharField(blank=True, default='', editable=False, max_length=500),
        ),
        # With a default of the database: processes of the previous version insert rows without this column.
        # At the end: SQLite makes the table anew for any AlterField, without that default.
        migrations.AddField(
            model_name='webhookmessage',
            name='revision',
            field=models.PositiveIntegerField(db_default=0, editable=False),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='webhookmessage',
                    name='revision',
                    field=models.PositiveIntegerField(default=0, editable=False),
                ),
            ]
        ),
    ]
