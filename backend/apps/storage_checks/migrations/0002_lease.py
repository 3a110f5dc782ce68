from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0016_models_that_moved'),
        ('storage_checks', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='examination',
            name='lease',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='examination',
            name='lease_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        # Processes of the previous version write this column. The next version removes it.
        migrations.AlterField(
            model_name='examination',
            name='seen_at',
            field=models.DateTimeField(db_default=Now()),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name='examination', name='seen_at')]
        ),
    ]
