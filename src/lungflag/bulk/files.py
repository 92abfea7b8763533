"""Files that are there whole or not at all, whenever the process or the machine stops."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lungflag._disk import flush
from lungflag.errors import BulkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FRESH = ".fresh-"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a hidden path to write to; on leaving, the disk has it and it is called `path`.

    Raises
    ------
    BulkError
        If it cannot be written.
    """
    fresh = path.with_name(f"{_FRESH}{path.name}")
    try:
        yield fresh
        flush(fresh)
        fresh.replace(path)
        flush(path.parent)
    except OSError as error:
        raise BulkError(f"{path}: cannot be written ({error.strerror or error})") from error


def sweep(folder: Path) -> None:
    """Remove what a killed run was writing."""
    for fresh in folder.glob(f"{_FRESH}*"):
        fresh.unlink(missing_ok=True)
