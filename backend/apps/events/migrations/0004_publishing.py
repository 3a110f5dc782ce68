import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import apps.core.jobs.timing


def mark_tickets_of_old(apps, schema_editor):
    """Tickets issued so far carry unsigned codes and local files. Their move waits for the operator's command."""
    EventTicket = apps.get_model("events", "EventTicket")
    EventTicket.objects.update(issued_before_signing=True, next_attempt_at=None)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_eventticket_pdf_ticket_and_more'),
    ]

    operations = [
        migrations.AddField(
            model_name='eventticket',
            name='code_generation',
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='issued_before_signing',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='legacy_code',
            field=models.CharField(blank=True, editable=False, max_length=500),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='qr_code_version',
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='qr_code_etag',
            field=models.CharField(blank=True, default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='pdf_ticket_version',
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='pdf_ticket_etag',
            field=models.CharField(blank=True, default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='published_generation',
            field=models.PositiveSmallIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='published_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='state',
            field=models.CharField(choices=[('pending', 'Files are on their way'), ('ready', 'Files are ready'), ('failed', 'The last attempt failed')], default='pending', editable=False, max_length=8),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='revision',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='attempts',
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='next_attempt_at',
            field=models.DateTimeField(default=apps.core.jobs.timing.first_sweep, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='lease_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='lease',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='reason',
            field=models.CharField(blank=True, default='', editable=False, max_length=500),
        ),
        migrations.RunPython(mark_tickets_of_old, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='eventticket',
            index=models.Index(condition=models.Q(('state__in', ['pending', 'failed'])), fields=['next_attempt_at'], name='ticket_work_owed'),
        ),
        migrations.CreateModel(
            name='EventImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('cover', 'Cover'), ('logo', 'Logo')], max_length=5)),
                ('content', models.BinaryField()),
                ('media_type', models.CharField(editable=False, max_length=20)),
                ('sha256', models.CharField(editable=False, max_length=64)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='images', to='events.event')),
            ],
        ),
        migrations.AddConstraint(
            model_name='eventimage',
            constraint=models.UniqueConstraint(fields=('event', 'kind'), name='one_image_an_event_and_kind'),
        ),
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
                'ordering': ['pk'],
            },
        ),
    ]
