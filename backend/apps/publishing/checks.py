"""A system check of the fonts: reports the scripts that tickets cannot show, before a holder's name needs one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks

import ticketkit

HINT = (
    "Tickets show a placeholder for each character that no font has, and none are made without the Latin font; "
    "TICKETKIT_FONTS in docs/reference/settings.md."
)


def register() -> None:
    checks.register(check_fonts, checks.Tags.files)


def check_fonts(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Return a warning for each missing or outdated font, with its scripts."""
    scripts: dict[str, list[str]] = {}
    try:
        for script, problem in ticketkit.uncovered_scripts().items():
            scripts.setdefault(problem, []).append(script)
    except ticketkit.RenderingError as error:
        return [checks.Warning(f"No ticket can be drawn: {error}.", hint=HINT, id="events.W011")]
    return [
        checks.Warning(f"Tickets cannot show {', '.join(names)}: {problem}.", hint=HINT, id="events.W011")
        for problem, names in scripts.items()
    ]
