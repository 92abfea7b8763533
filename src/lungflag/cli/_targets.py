"""Files that a command is to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from pathlib import Path


def check_target(path: Path | None) -> None:
    """Fail before the work, not after it, where a result could not be written.

    Raises
    ------
    LungflagError
        If `path` cannot be opened for writing.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise LungflagError(f"{path}: cannot be written ({error.strerror})") from error
