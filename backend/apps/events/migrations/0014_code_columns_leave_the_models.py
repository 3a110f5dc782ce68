"""`issued_before_signing` and `legacy_code` leave the models. The database keeps them for one release.

Processes of the version before still write them while this version is deployed. A later release drops both columns of
`events_eventticket` (give them back to the state and remove them there; on SQLite, whichever migration first rebuilds the
table does it by itself). Until then no migration may follow that rebuilds the table on SQLite, as `AddField` of a column
that is not null does.
"""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0013_holder_addresses'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField(model_name='eventticket', name='issued_before_signing'),
                migrations.RemoveField(model_name='eventticket', name='legacy_code'),
            ],
        ),
    ]
