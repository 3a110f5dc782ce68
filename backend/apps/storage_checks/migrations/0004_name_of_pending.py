from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('storage_checks', '0003_plain_labels'),
    ]

    operations = [
        migrations.AlterField(
            model_name='examination',
            name='owed',
            field=models.PositiveIntegerField(db_column='owed', default=0),
        ),
        migrations.RenameField(
            model_name='examination',
            old_name='owed',
            new_name='pending',
        ),
    ]
