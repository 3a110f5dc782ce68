
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('storage_checks', '0002_lease'),
    ]

    operations = [
        migrations.AlterField(
            model_name='examination',
            name='state',
            field=models.CharField(choices=[('queued', 'Waiting for a worker'), ('running', 'Running'), ('done', 'Done'), ('stopped', 'Stopped early'), ('failed', 'Failed')], default='queued', max_length=7),
        ),
    ]
