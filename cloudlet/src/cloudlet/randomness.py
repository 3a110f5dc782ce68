"""Random hex from the system's generator, drawn in blocks: one system call serves many ids."""

import os
import threading

_BLOCK_BYTES = 4096


class HexSource:
    """Unpredictable hex strings, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block = b""
        self._position = 0

    def take(self, size: int) -> str:
        """``2 * size`` hex characters."""
        with self._lock:
            if self._position + size > len(self._block):
                self._block, self._position = os.urandom(max(_BLOCK_BYTES, size)), 0
            taken = self._block[self._position : self._position + size]
            self._position += size
        return taken.hex()


random_hex = HexSource().take
