"""What happened to tickets, for every app that wants to know. The domain tells it, and does not know who listens.

Each signal is sent in the very transaction of the change, so what a receiver writes down stands or falls with the
change; a receiver that raises undoes both. Every receiver gets `tickets`, a sequence of `EventTicket`: one or many that
the same thing happened to, whose code, event and generation are those of that moment.
"""

from __future__ import annotations

from django.dispatch import Signal

# The row is new; its files follow. Receivers get `bulk` besides: whether single tickets go first.
ticket_issued = Signal()
# A value that is printed was changed by `save()`. Not told of `update()`.
ticket_changed = Signal()
# The ticket has a new code, and every earlier copy is refused from this transaction on. Its files follow. Receivers get
# `bulk` and `before` besides: the same tickets, in the same order, as they were.
ticket_reissued = Signal()
# The row is gone.
ticket_deleted = Signal()
# Both files are on storage and carry the valid code: after issuing, and whenever they were made anew.
ticket_ready = Signal()
# Nobody tries to make the files any more before a person asks for it. An attempt that is repeated is not told.
# Receivers get `reason` besides, for organisers.
ticket_failed = Signal()
