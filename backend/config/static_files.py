"""Store static files readable for all, so that any web server can serve them. All other files are private."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PublicStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """Compress with the usual umask, because WhiteNoise does not set the mode of compressed files."""

    def post_process(self, *args: Any, **options: Any) -> Iterator[tuple[str, str, bool]]:
        private = os.umask(0o022)
        try:
            yield from super().post_process(*args, **options)
        finally:
            os.umask(private)
