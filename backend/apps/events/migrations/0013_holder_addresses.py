from django.db import migrations

from apps.core.addresses import strip_address


def clean_addresses(apps, schema_editor):
    """Addresses as they are compared with those of accounts, so that each ticket is in its holder's list."""
    tickets = apps.get_model("events", "EventTicket").objects.using(schema_editor.connection.alias)
    addresses = tickets.exclude(holder_email="").order_by().values_list("holder_email", flat=True).distinct()
    # Read to the end first: SQLite must not change rows that it is reading.
    changed = {address: clean for address in addresses.iterator() if (clean := strip_address(address).lower()) != address}
    for address, clean in changed.items():
        tickets.filter(holder_email=address).update(holder_email=clean)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0012_take_up_refused_texts'),
    ]

    operations = [migrations.RunPython(clean_addresses, migrations.RunPython.noop, elidable=True)]
