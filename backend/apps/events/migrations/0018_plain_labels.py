
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0017_plain_names'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='layout',
            field=models.JSONField(blank=True, db_default={}, default=dict, help_text='Changes to the built-in layout of the tickets; empty for the A4 layout.'),
        ),
        migrations.AlterField(
            model_name='eventticket',
            name='state',
            field=models.CharField(choices=[('pending', 'Waiting for files'), ('ready', 'Files are ready'), ('failed', 'The last attempt failed')], default='pending', editable=False, max_length=8),
        ),
    ]
