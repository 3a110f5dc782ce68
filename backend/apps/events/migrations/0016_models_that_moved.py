from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0015_googlewalletclass'),
        ('publishing', '0001_initial'),
        ('storage', '0001_initial'),
        ('storage_checks', '0001_initial'),
        ('wallets', '0001_initial'),
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
    ]
