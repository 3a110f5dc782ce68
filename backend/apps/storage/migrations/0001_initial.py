import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0015_googlewalletclass'),
    ]

    operations = [
        # The tables are there: the models came from `events`.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='Deployment',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
                    ],
                    options={
                        'db_table': 'events_deployment',
                        'default_permissions': (),
                    },
                ),
            ]
        ),
    ]
