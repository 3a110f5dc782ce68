from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0002_eventticket_qr_code'),
    ]

    operations = [
        migrations.AddField(
            model_name='eventticket',
            name='pdf_ticket',
            field=models.FileField(blank=True, editable=False, max_length=255, upload_to='pdf_tickets/'),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='pdf_ticket_cloudinary_id',
            field=models.CharField(blank=True, default='', editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name='eventticket',
            name='qr_code_cloudinary_id',
            field=models.CharField(blank=True, default='', editable=False, max_length=255),
        ),
    ]
