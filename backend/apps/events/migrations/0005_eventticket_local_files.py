from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0004_publishing"),
    ]

    operations = [
        migrations.AddField(
            model_name="eventticket",
            name="qr_code_local",
            field=models.CharField(blank=True, default="", editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name="eventticket",
            name="pdf_ticket_local",
            field=models.CharField(blank=True, default="", editable=False, max_length=255),
        ),
    ]
