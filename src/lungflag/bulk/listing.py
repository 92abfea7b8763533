"""Which inputs the words on a command line stand for, one by one and never all in memory."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag.bulk.storage import is_url, open_storage
from lungflag.data.manifest import COLUMN_ALIASES
from lungflag.errors import BulkError, LungflagError, ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

INDEXES = {"DICOMDIR", "manifest.csv"}
_MASKS = "masks"  # beside a manifest.csv: the reference standard's pixels, not radiographs


def list_inputs(words: Iterable[str], *, without: Path) -> Iterator[str]:
    """Yield the name of every input that `words` stand for, in order.

    A word is a file, a folder, a manifest (``.csv`` with a column ``path``), or a URL of one of
    these or with ``*``. Folders are searched as `walk` does; one folder's names are in memory at a
    time. `without` is left out: the run's own table.

    Raises
    ------
    LungflagError
        If a folder or a pattern holds nothing to judge.
    ManifestError
        If a manifest cannot be read or has no column ``path``.
    BulkError
        If storage cannot be reached.
    """
    for word in words:
        if word.lower().endswith(".csv"):
            yield from _manifest(word)
        elif is_url(word):
            yield from _remote(word)
        elif Path(word).is_dir():
            yield from _some(word, map(str, walk(Path(word), {without.resolve()})))
        else:
            yield word


def walk(folder: Path, own: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder, to its depth, in order of name.

    Left out are hidden files and folders, the indexes ``DICOMDIR`` and ``manifest.csv``, the
    folder ``masks`` beside a ``manifest.csv``, and what is in `own`. A folder that cannot be
    listed stands for itself, at the end.
    """
    unlisted: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=unlisted.append):
        kept = _kept(folders, files)
        folders[:] = [name for name in kept if (Path(root) / name).resolve() not in own]
        for name in _files(files):
            file = Path(root) / name
            if _may_be_read(file) and file.resolve() not in own:
                yield file
    yield from (Path(error.filename) for error in unlisted)


def _kept(folders: Iterable[str], files: Iterable[str]) -> list[str]:
    skipped = {_MASKS} if "manifest.csv" in files else set()
    return sorted(name for name in folders if not name.startswith(".") and name not in skipped)


def _files(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith(".") and name not in INDEXES)


def _may_be_read(file: Path) -> bool:
    """Tell files, and links that lead nowhere, from pipes, sockets and devices."""
    return file.is_file() or not file.exists()


def _some(word: str, names: Iterable[str]) -> Iterator[str]:
    empty = True
    for name in names:
        empty = False
        yield name
    if empty:
        raise LungflagError(f"{word}: the folder holds no file to judge")


def _remote(url: str) -> Iterator[str]:
    storage, path = open_storage(url)
    try:
        if any(sign in path for sign in "*?["):
            found = sorted(storage.glob(path))
            if not found:
                raise LungflagError(f"{url}: nothing is called so")
            for match in found:
                yield from _below(storage, match)
        elif storage.isdir(path):
            yield from _some(url, _below(storage, path))
        else:
            yield url
    except (LungflagError, GeneratorExit):
        raise
    except Exception as error:  # each kind of storage has errors of its own
        raise BulkError(f"{url}: cannot be listed ({type(error).__name__}: {error})") from error


def _below(storage: Any, path: str) -> Iterator[str]:
    if not storage.isdir(path):
        yield storage.unstrip_protocol(path)
        return
    for root, folders, files in storage.walk(path, on_error="raise"):
        # Sorted in place: so the walk goes on in order of name. An object whose name ends in / is
        # the mark of an empty folder.
        folders[:] = _kept(folders, files)
        for name in _files(filter(None, files)):
            yield storage.unstrip_protocol(f"{root.rstrip('/')}/{name}")


def _manifest(word: str) -> Iterator[str]:
    folder = word.rpartition("/")[0]
    line = 0
    try:
        with _open_text(word) as file:
            reader = csv.reader(file, strict=True)
            header = [COLUMN_ALIASES.get(name.strip(), name.strip()) for name in next(reader, [])]
            if header.count("path") != 1:
                raise ManifestError("has no column path, or two of them")
            column = header.index("path")
            for cells in reader:
                line = reader.line_num
                if len(cells) != len(header):
                    raise ManifestError("wrong number of columns")
                if not cells[column].strip():
                    raise ManifestError("no path")
                yield _beside(folder, cells[column])
    except (csv.Error, OSError, UnicodeDecodeError, ManifestError) as error:
        where = f"{word}, line {line}" if line else word
        raise ManifestError(f"{where}: {error}") from error
    if not line:
        raise ManifestError(f"{word}: the manifest has no rows")


def _open_text(word: str) -> TextIO:
    if not is_url(word):
        return Path(word).open(encoding="utf-8-sig", newline="")
    storage, path = open_storage(word)
    text: TextIO = storage.open(path, "r", encoding="utf-8-sig", newline="")
    return text


def _beside(folder: str, path: str) -> str:
    """Return a manifest's path, which counts from the manifest's folder unless it is whole."""
    if is_url(path) or not folder:
        return path
    return f"{folder.rstrip('/')}/{path}" if is_url(folder) else str(Path(folder) / path)
