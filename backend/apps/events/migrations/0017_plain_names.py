
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0016_models_that_moved'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='face',
            field=models.CharField(blank=True, db_column='face', default='', editable=False, max_length=64),
        ),
        migrations.RenameField(
            model_name='event',
            old_name='face',
            new_name='fingerprint',
        ),
        migrations.AlterField(
            model_name='eventticket',
            name='published_face',
            field=models.CharField(blank=True, db_column='published_face', default='', editable=False, max_length=64),
        ),
        migrations.RenameField(
            model_name='eventticket',
            old_name='published_face',
            new_name='published_fingerprint',
        ),
        migrations.AlterField(
            model_name='eventticket',
            name='wished_at',
            field=models.DateTimeField(db_column='wished_at', db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False),
        ),
        migrations.RenameField(
            model_name='eventticket',
            old_name='wished_at',
            new_name='requested_at',
        ),
        migrations.RenameIndex(
            model_name='eventticket',
            new_name='ticket_files_due',
            old_name='ticket_work_owed',
        ),
    ]
