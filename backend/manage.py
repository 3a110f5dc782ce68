#!/usr/bin/env python
"""Django's command line for Admit."""

import os
import sys

from apps.core.packages import missing_packages


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if missing := missing_packages():
        sys.exit("\n".join(missing))
    # Imported late, because these packages may be missing.
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from environs import EnvError

    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, EnvError) as error:
        sys.exit(f"❌ Error in the configuration: {error}")  # the message says what to set; a traceback would not help


if __name__ == "__main__":
    main()
