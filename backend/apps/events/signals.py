"""What happened to tickets, for whoever wants to know. The domain tells it, and does not know who listens.

Each signal is sent in the very transaction of the change, so what a receiver writes down stands or falls with the
change; a receiver that raises undoes both. Every receiver gets `tickets`, a sequence of `EventTicket`: one or many that
the same thing happened to, whose code, event and generation are those of that moment.
"""

from __future__ import annotations

from django.dispatch import Signal

# Both files are on storage and carry the valid code: after issuing, and whenever they were made anew.
ticket_ready = Signal()
# Nobody tries to make the files any more before a person asks for it. An attempt that is repeated is not told.
# Receivers get `reason` besides, for organisers.
ticket_failed = Signal()
# The ticket has a new code, and every earlier copy is refused from this transaction on. Its files follow.
ticket_reissued = Signal()
# The row is gone.
ticket_deleted = Signal()
