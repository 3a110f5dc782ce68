import django.utils.timezone
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
                    name='StoredFileDeletion',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(choices=[('qr_code', 'QR code on Cloudinary'), ('pdf_ticket', 'PDF on Cloudinary'), ('local_file', 'file on the local storage of old')], max_length=10)),
                        ('name', models.CharField(max_length=255, verbose_name='public id or path')),
                        ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('attempts', models.PositiveIntegerField(default=0)),
                        ('next_attempt_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                        ('reason', models.CharField(blank=True, default='', max_length=500)),
                    ],
                    options={
                        'verbose_name': 'file to delete',
                        'verbose_name_plural': 'files to delete',
                        'db_table': 'events_storedfiledeletion',
                        'ordering': ['pk'],
                    },
                ),
            ]
        ),
    ]
