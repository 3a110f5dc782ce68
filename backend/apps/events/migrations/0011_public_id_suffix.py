import uuid

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0010_ticket_codes'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='eventticket',
            name='public_id_suffix',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='published_suffix',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=64),
        ),
        migrations.AddIndex(
            model_name='eventticket',
            index=models.Index(condition=models.Q(('published_suffix', models.F('public_id_suffix')), _negated=True), fields=['id'], name='ticket_files_misplaced'),
        ),
    ]
