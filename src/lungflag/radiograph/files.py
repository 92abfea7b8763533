"""Take a file's bytes, or say in one line why it cannot be had."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from lungflag.errors import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE = 2**30
"""Bytes. The largest uncompressed radiograph that is read is smaller."""


def load(name: str, path: Path) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    UnreadableError
        If there is no such file, it is no regular file, it is empty or larger than a gibibyte,
        or the system refuses to read it.
    """
    try:
        # Asked before opening: opening a named pipe would wait for a writer.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableError(name, "is a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError(name, "is a special file, not a regular one")
        if status.st_size > LARGEST_FILE:
            raise UnreadableError(name, f"is absurdly large: {status.st_size:,} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableError(name, "no such file") from error
    except PermissionError as error:
        raise UnreadableError(name, "permission denied") from error
    except OSError as error:
        raise UnreadableError(name, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null byte in the path
        raise UnreadableError(name, f"is no valid path: {error}") from error
