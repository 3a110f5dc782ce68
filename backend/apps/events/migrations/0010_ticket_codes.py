"""One table of accepted codes in place of two columns of the ticket.

Processes of the version before still write both columns while this version is deployed, so the database keeps them and
knows their defaults; migration 0014 takes them out of the models.
"""

import hashlib

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

CHUNK = 1000


def digest_of(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def carry_over(apps, schema_editor):
    """Every code that the door accepted, or called re-issued, is accepted or dead as before."""
    alias = schema_editor.connection.alias
    EventTicket = apps.get_model("events", "EventTicket")
    TicketCode = apps.get_model("events", "TicketCode")
    of_then = EventTicket.objects.using(alias).filter(issued_before_signing=True).order_by("pk")
    columns = ("pk", "ticket_id", "legacy_code", "code_generation")
    now, last = django.utils.timezone.now(), 0
    while chunk := list(of_then.filter(pk__gt=last).values_list(*columns)[:CHUNK]):
        last = chunk[-1][0]
        codes = []
        for pk, ticket_id, printed, generation in chunk:
            dead_at = now if generation else None
            # A picture that carries the bare id counts as read.
            texts = {str(ticket_id): "ticket_id"} | ({printed: "picture"} if printed else {})
            codes += [
                TicketCode(ticket_id=pk, digest=digest_of(text), source=source, dead_at=dead_at, created_at=now)
                for text, source in texts.items()
            ]
        TicketCode.objects.using(alias).bulk_create(codes, ignore_conflicts=True)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0009_watching'),
    ]

    operations = [
        migrations.CreateModel(
            name='TicketCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('source', models.CharField(choices=[('ticket_id', 'the id of a ticket from before codes were signed'), ('picture', "the ticket's old picture")], max_length=20)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dead_at', models.DateTimeField(null=True)),
                ('ticket', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='codes', to='events.eventticket')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('digest',), name='one_ticket_a_code')],
            },
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        # After the copy, so that PostgreSQL's lock on the table is held for a moment only.
        migrations.AlterField(
            model_name='eventticket',
            name='issued_before_signing',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AlterField(
            model_name='eventticket',
            name='legacy_code',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=500),
        ),
    ]
