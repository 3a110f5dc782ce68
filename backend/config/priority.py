"""Makes `nice` hold against the other services of the machine, not only against the process's own kin.

Linux shares the processors among sessions first, and only then, by niceness, among the processes of one session
(autogroups; see sched(7)). A worker that a service manager starts has a session of its own, so that its niceness alone
would take nothing from it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

AUTOGROUP = Path("/proc/self/autogroup")


def apply_niceness_to_session() -> None:
    """Give the session this process's niceness, if it has one above 0 and the session is its own.

    Where processors are shared in another way, by control groups for instance, this changes nothing.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= 0 or os.getsid(0) != os.getpid() or not AUTOGROUP.exists():
        return
    try:
        AUTOGROUP.write_text(str(niceness))
    except OSError as error:
        logger.warning("The low priority counts within this worker only: %s", error)
