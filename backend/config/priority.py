"""Apply a worker's niceness to its session, so that `nice` has an effect towards other services of the machine.

Linux divides the processor time among sessions first, and only then, by niceness, among the processes of a session
(autogroups; see sched(7)). A worker that a service manager starts has its own session, so that its niceness alone has
no effect towards others.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

AUTOGROUP = Path("/proc/self/autogroup")


def apply_niceness_to_session() -> None:
    """Set the session's niceness to that of this process, if it is above 0 and the process leads the session.

    This has no effect where processor time is divided otherwise, for example by control groups.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= 0 or os.getsid(0) != os.getpid() or not AUTOGROUP.exists():
        return
    try:
        AUTOGROUP.write_text(str(niceness))
    except OSError as error:
        logger.warning("The low priority applies within this worker only: %s", error)
