"""Hypothesis profiles. ``HYPOTHESIS_PROFILE`` chooses one: ``fast``, ``default`` or ``soak``."""

import os

from hypothesis import settings

for _name, _max_examples in (("fast", 20), ("default", 50), ("soak", 2000)):
    # The machine may be busy, so time limits are left to pytest-timeout.
    settings.register_profile(_name, max_examples=_max_examples, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def examples(share: float) -> int:
    """Return a share of the profile's number of examples, at least 1: ``@settings(max_examples=examples(0.2))``."""
    return max(1, round(share * settings.default.max_examples))
