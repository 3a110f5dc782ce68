
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0002_jobs'),
    ]

    operations = [
        migrations.RenameIndex(
            model_name='webhookmessage',
            new_name='webhook_due',
            old_name='webhook_owed',
        ),
    ]
