from django.conf import settings
from django.db import migrations

from apps.core.db.content_types import move_content_types


class Migration(migrations.Migration):

    dependencies = [
        ('admin', '0003_logentry_add_action_flag_choices'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        ('events', '0015_googlewalletclass'),
        ('publishing', '0001_initial'),
        ('storage', '0001_initial'),
        ('storage_checks', '0001_initial'),
        ('wallets', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(
                    name='Deployment',
                ),
                migrations.RemoveField(
                    model_name='examination',
                    name='asked_by',
                ),
                migrations.DeleteModel(
                    name='GoogleWalletClass',
                ),
                migrations.DeleteModel(
                    name='StoredFileDeletion',
                ),
                migrations.DeleteModel(
                    name='UsageSample',
                ),
                migrations.DeleteModel(
                    name='Examination',
                ),
            ]
        ),
        # Here, and not where the apps begin, so that `migrate events 0015` is the whole way back.
        move_content_types("events", "storage", "deployment"),
        move_content_types("events", "publishing", "storedfiledeletion"),
        move_content_types("events", "storage_checks", "usagesample", "examination"),
        move_content_types("events", "wallets", "googlewalletclass"),
    ]
