"""Which inputs the paths on a command line stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag.bulk.listing import walk
from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def find_inputs(paths: Iterable[Path], *, without: Iterable[Path | None] = ()) -> list[Path]:
    """Return the files that `paths` stand for, in order: themselves, and what folders hold.

    Folders are searched as `lungflag.bulk.listing.walk` does; whatever is named in `without` is
    left out there. A path where there is nothing stands for itself: reading it will say why.

    Raises
    ------
    LungflagError
        If a folder holds no file to judge.
    """
    own = {path.resolve() for path in without if path is not None}
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = list(walk(path, own))
        if not inside:
            raise LungflagError(f"{path}: the folder holds no file to judge")
        found.extend(inside)
    return found
