"""How many bytes may be on their way in at once, over all connections."""

from __future__ import annotations

from threading import Lock

LARGEST_OBJECT = 2**28
"""Bytes. Twice the largest grey radiograph that is read, uncompressed."""


class Room:
    """A number of bytes that connections share. Safe to use from many threads.

    Parameters
    ----------
    size : int
        Bytes.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = Lock()

    @property
    def free(self) -> int:
        """Bytes that nobody holds."""
        return self._free

    def take(self, size: int) -> bool:
        """Hold `size` bytes more; False, and nothing held, where there are not so many."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give(self, size: int) -> None:
        """Let `size` bytes go."""
        with self._lock:
            self._free += size
