"""Which inputs the paths on a command line stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INDEXES = {"DICOMDIR", "manifest.csv"}
_MASKS = "masks"  # beside a manifest.csv: the reference standard's pixels, not radiographs


def find_inputs(paths: Iterable[Path], *, without: Iterable[Path | None] = ()) -> list[Path]:
    """Return the files that `paths` stand for, in order: themselves, and what folders hold.

    A folder is searched to its depth, in order of name. Left out there are hidden files and
    folders, the indexes ``DICOMDIR`` and ``manifest.csv``, the folder ``masks`` beside a
    ``manifest.csv``, and whatever is named in `without`. A folder that cannot be listed stands
    for itself, and so does a path where there is nothing: reading it will say why.

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
        inside = [file for file in _walk(path, own) if file.resolve() not in own]
        if not inside:
            raise LungflagError(f"{path}: the folder holds no file to judge")
        found.extend(inside)
    return found


def _walk(folder: Path, own: set[Path]) -> Iterator[Path]:
    unlisted: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=unlisted.append):
        skipped = {_MASKS} if "manifest.csv" in files else set()
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in skipped
            and (Path(root) / name).resolve() not in own
        )
        for name in sorted(files):
            file = Path(root) / name
            if not name.startswith(".") and name not in _INDEXES and _may_be_read(file):
                yield file
    yield from (Path(error.filename) for error in unlisted)


def _may_be_read(file: Path) -> bool:
    """Tell files, and links that lead nowhere, from pipes, sockets and devices."""
    return file.is_file() or not file.exists()
