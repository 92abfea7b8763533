"""Unpack a zip file: safely, checked by its own CRCs, and going on where it stopped."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from lungflag.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 1 << 20


def unzip(archive: Path, folder: Path, progress: Callable[[str, int, int], object]) -> None:
    """Unpack `archive` into `folder`, which appears only when it is complete.

    Every file is checked against the CRC-32 that the archive holds for it. What an earlier,
    interrupted call has unpacked is checked and kept.

    Raises
    ------
    FetchError
        If the disk is full, the archive is damaged, or a member would land outside the folder. In
        the last two cases the archive is removed: it is not the published one.
    """
    draft = folder.with_name(folder.name + ".part")
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if _is_wanted(member)]
            _check_names(members)
            whole, done = sum(member.file_size for member in members), 0
            for member in members:
                file = draft / member.filename
                if not _is_unpacked(member, file):
                    file.parent.mkdir(parents=True, exist_ok=True)
                    with opened.open(member) as source, file.open("wb") as sink:
                        shutil.copyfileobj(source, sink, CHUNK)
                done += member.file_size
                progress("unpack", done, whole)
        draft.replace(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        archive.unlink()
        raise FetchError(f"{archive}: damaged, and removed ({error})") from error
    except OSError as error:
        raise FetchError(f"{folder}: cannot be unpacked ({error.strerror or error})") from error


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    # macOS adds a shadow of every file, with no pixels in it.
    return not member.is_dir() and not member.filename.startswith("__MACOSX/")


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = PurePosixPath(member.filename)
        outside = name.is_absolute() or ".." in name.parts or "\\" in member.filename
        if outside or PureWindowsPath(name).drive or stat.S_ISLNK(member.external_attr >> 16):
            raise zipfile.BadZipFile(f"{member.filename!r} would leave the folder")


def _is_unpacked(member: zipfile.ZipInfo, file: Path) -> bool:
    if not file.is_file() or file.stat().st_size != member.file_size:
        return False
    crc = 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == member.CRC
