from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0005_eventticket_local_files'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='face',
            field=models.CharField(blank=True, default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='event',
            name='republish_after',
            field=models.DateTimeField(db_index=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='in_bulk',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='published_face',
            field=models.CharField(blank=True, default='', editable=False, max_length=64),
        ),
    ]
