"""The signals of tickets, for other apps.

Each signal is sent in the transaction of the change: what a receiver writes is committed or rolled back with it, and an
exception of a receiver rolls back both. Every receiver gets `tickets`, a sequence of `EventTicket` with the code, event
and generation of that moment.
"""

from __future__ import annotations

from django.dispatch import Signal

# Tickets were created; their files are not made yet. Also passes `bulk`, whether single tickets have priority.
ticket_issued = Signal()
# `save()` wrote a printed column. Not sent for `update()`.
ticket_changed = Signal()
# Tickets have new codes, and earlier ones are refused from this transaction on. Their new files are not made yet. Also
# passes `bulk`, and `before`: the same tickets in the same order, as they were before.
ticket_reissued = Signal()
# The rows were deleted.
ticket_deleted = Signal()
# Both files are on storage and carry the valid code, for the first time or again.
ticket_ready = Signal()
# Making the files was given up until a person requests it again; not sent for attempts that will be retried. Also
# passes `reason`, a text for organisers.
ticket_failed = Signal()
