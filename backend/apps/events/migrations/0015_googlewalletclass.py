from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0014_code_columns_leave_the_models'),
    ]

    operations = [
        migrations.CreateModel(
            name='GoogleWalletClass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('class_id', models.CharField(max_length=100, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
