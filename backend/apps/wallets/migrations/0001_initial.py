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
                    name='GoogleWalletClass',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('class_id', models.CharField(max_length=100, unique=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                    ],
                    options={
                        'db_table': 'events_googlewalletclass',
                        'default_permissions': (),
                    },
                ),
            ]
        ),
    ]
