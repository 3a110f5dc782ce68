from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='eventticket',
            name='qr_code',
            field=models.ImageField(blank=True, editable=False, max_length=255, upload_to='qr_codes/'),
        ),
    ]
