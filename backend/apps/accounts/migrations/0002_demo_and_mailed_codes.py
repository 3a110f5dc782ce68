import django.utils.timezone
from django.contrib.auth.hashers import check_password
from django.db import migrations, models

PASSWORD = "lantern-nights"  # of every account of the demo, until now
NAMES = ("organiser", "door", "amelie", "layla", "xiaoming", "priya")


def mark(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects.filter(email__in=[f"{name}@example.org" for name in NAMES])
    known = [user.pk for user in users if check_password(PASSWORD, user.password)]
    users.filter(pk__in=known).update(is_demo=True)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="is_demo",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Has the demo’s public password: cannot sign in, unless the site is for this machine only.",
                verbose_name="demo account",
            ),
        ),
        migrations.CreateModel(
            name="MailedCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
