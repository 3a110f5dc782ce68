
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_plain_names'),
    ]

    operations = [
        migrations.AlterField(
            model_name='webhookendpoint',
            name='enabled',
            field=models.BooleanField(default=True, help_text='While it is off, nothing is sent, and events of that time are not sent later.'),
        ),
        migrations.AlterField(
            model_name='webhookmessage',
            name='state',
            field=models.CharField(choices=[('pending', 'Waiting to be sent'), ('delivered', 'Delivered'), ('failed', 'Given up')], default='pending', max_length=9),
        ),
    ]
