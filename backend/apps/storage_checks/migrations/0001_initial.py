import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0015_googlewalletclass'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # The tables are there: the models came from `events`.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='UsageSample',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('taken_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                        ('plan', models.CharField(blank=True, default='', max_length=50)),
                        ('storage', models.PositiveBigIntegerField(null=True)),
                        ('bandwidth', models.PositiveBigIntegerField(null=True)),
                        ('transformations', models.PositiveBigIntegerField(null=True)),
                        ('objects_stored', models.PositiveBigIntegerField(null=True)),
                        ('credits', models.FloatField(null=True)),
                        ('credits_limit', models.FloatField(null=True)),
                    ],
                    options={
                        'db_table': 'events_usagesample',
                        'ordering': ['taken_at'],
                        'default_permissions': (),
                    },
                ),
                migrations.CreateModel(
                    name='Examination',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('state', models.CharField(choices=[('queued', 'Waits for a worker'), ('running', 'Under way'), ('done', 'Done'), ('stopped', 'Stopped on the way'), ('failed', 'Failed')], default='queued', max_length=7)),
                        ('is_open', models.BooleanField(default=True, null=True, unique=True)),
                        ('listed', models.PositiveIntegerField(default=0)),
                        ('compared', models.PositiveIntegerField(default=0)),
                        ('ready', models.PositiveIntegerField(default=0)),
                        ('owed', models.PositiveIntegerField(default=0)),
                        ('quota_allowed', models.PositiveIntegerField(null=True)),
                        ('quota_left', models.PositiveIntegerField(null=True)),
                        ('quota_resets_at', models.DateTimeField(null=True)),
                        ('findings', models.JSONField(default=list)),
                        ('repaired', models.PositiveIntegerField(default=0)),
                        ('message', models.CharField(blank=True, default='', max_length=500)),
                        ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'verbose_name': 'storage check',
                        'db_table': 'events_examination',
                        'ordering': ['-pk'],
                        'default_permissions': ('add', 'view'),
                    },
                ),
            ]
        ),
    ]
