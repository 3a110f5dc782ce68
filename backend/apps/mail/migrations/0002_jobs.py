import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mail', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='outgoingmail',
            name='lease_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='outgoingmail',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='outgoingmail',
            name='lease',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='outgoingmail',
            name='next_attempt_at',
            field=models.DateTimeField(db_index=True, default=django.utils.timezone.now, null=True),
        ),
        # Last, so that SQLite keeps the defaults of the database: processes of the previous version insert rows without these columns.
        migrations.AddField(
            model_name='outgoingmail',
            name='reason',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=500),
        ),
        migrations.AddField(
            model_name='outgoingmail',
            name='revision',
            field=models.PositiveIntegerField(db_default=0, editable=False),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='outgoingmail',
                    name='reason',
                    field=models.CharField(blank=True, default='', editable=False, max_length=500),
                ),
                migrations.AlterField(
                    model_name='outgoingmail',
                    name='revision',
                    field=models.PositiveIntegerField(default=0, editable=False),
                ),
            ]
        ),
    ]
