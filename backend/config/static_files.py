"""Static files that any server may read, although everything else that this installation writes is private."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class PublicStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """Compress with the usual umask: these files are not written by the storage, which knows their mode."""

    def post_process(self, *args: Any, **options: Any) -> Iterator[tuple[str, str, bool]]:
        private = os.umask(0o022)
        try:
            yield from super().post_process(*args, **options)
        finally:
            os.umask(private)
