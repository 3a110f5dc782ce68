
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_demo_and_mailed_codes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='user',
            name='is_demo',
            field=models.BooleanField(db_default=False, default=False, help_text='Has the demo’s public password: can sign in only while the site is on localhost.', verbose_name='demo account'),
        ),
    ]
