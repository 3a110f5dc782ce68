import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0016_models_that_moved'),
        ('publishing', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='storedfiledeletion',
            name='lease',
            field=models.UUIDField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='storedfiledeletion',
            name='lease_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='storedfiledeletion',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='storedfiledeletion',
            name='kind',
            field=models.CharField(choices=[('qr_code', 'QR code on Cloudinary'), ('pdf_ticket', 'PDF on Cloudinary'), ('local_file', 'file on the local storage')], max_length=10),
        ),
        migrations.AlterField(
            model_name='storedfiledeletion',
            name='next_attempt_at',
            field=models.DateTimeField(db_index=True, default=django.utils.timezone.now, null=True),
        ),
        migrations.AlterField(
            model_name='storedfiledeletion',
            name='reason',
            field=models.CharField(blank=True, default='', editable=False, max_length=500),
        ),
        # Last, so that SQLite keeps the default of the database: processes of the previous version insert rows without this column.
        migrations.AddField(
            model_name='storedfiledeletion',
            name='revision',
            field=models.PositiveIntegerField(db_default=0, editable=False),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='storedfiledeletion',
                    name='revision',
                    field=models.PositiveIntegerField(default=0, editable=False),
                ),
            ]
        ),
    ]
