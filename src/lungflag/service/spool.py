"""Objects and results on the disk: whole, durable, or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_SH, flock
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from lungflag.errors import ConfigurationError, SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAY = 86_400.0
"""Seconds."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TOUCHED = 3_600.0  # a file written this lately may be about to get its row


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is on the disk.

    Attributes
    ----------
    path : str
        Relative to the service's folder.
    sha256 : str
        Of its content, in hexadecimal digits.
    size : int
        Bytes.
    """

    path: str
    sha256: str
    size: int


class Spool:
    """The service's folder. Safe to share between threads and processes, and machines over NFS.

    ::

        objects/ab/cd/abcd....dcm   what was received, named by the SHA-256 of its content
        results/<job>/              what was made of it
        tmp/                        what is being written

    Parameters
    ----------
    folder : Path
        The folder; made where it is not there.
    keep_free_mib : int
        Nothing is written that would leave less than this on the disk.

    Raises
    ------
    ConfigurationError
        If the folder cannot be made or written.
    """

    def __init__(self, folder: Path, keep_free_mib: int = 0) -> None:
        self.folder = folder
        self._keep_free = keep_free_mib * 2**20
        self._objects, self._tmp = folder / "objects", folder / "tmp"
        self._mark = f"{socket.gethostname()}-{os.getpid()}-"
        try:
            for made in (self._objects, self._tmp):
                made.mkdir(parents=True, exist_ok=True)
            self._clean()
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"folder {folder}: cannot be written ({reason})") from error

    def put(self, data: bytes | Iterable[bytes]) -> Stored:
        """Keep an object; return after it is on the disk.

        The same content is kept once.

        Raises
        ------
        SpoolFullError
            If there is no room. Nothing is left behind.
        """
        chunks = [data] if isinstance(data, bytes) else list(data)
        digest = sha256()
        for chunk in chunks:
            digest.update(chunk)
        name, size = digest.hexdigest(), sum(map(len, chunks))
        path = f"objects/{name[:2]}/{name[2:4]}/{name}.dcm"
        with self._locked(LOCK_SH):
            if self._touch(path, size):
                return Stored(path, name, size)
            self.write(path, chunks)
        return Stored(path, name, size)

    def write(self, path: str, data: bytes | Iterable[bytes]) -> None:
        """Write a file of the folder, all of it or nothing; return after it is on the disk.

        Parameters
        ----------
        path : str
            Relative to the service's folder. What is there is replaced.
        data : bytes or iterable of bytes
            The content.

        Raises
        ------
        SpoolFullError
            If there is no room. Nothing is left behind.
        """
        chunks = [data] if isinstance(data, bytes) else list(data)
        target = self.folder / path
        scratch = self._tmp / f"{self._mark}{uuid4().hex}.part"
        try:
            self._check_room(sum(map(len, chunks)))
            self._make_folder(target.parent)
            with scratch.open("xb", buffering=0) as file:
                for chunk in chunks:
                    _write_all(file.fileno(), chunk)
                os.fsync(file.fileno())
            scratch.replace(target)
            _fsync_folder(target.parent)
        except OSError as error:
            if error.errno in _FULL:
                raise SpoolFullError(f"no room on the disk: {error.strerror}") from error
            raise
        finally:
            scratch.unlink(missing_ok=True)

    def free_mib(self) -> int:
        """Return the room on the disk, in MiB."""
        return shutil.disk_usage(self.folder).free // 2**20

    def remove(self, path: str, *, untouched: float = _TOUCHED) -> bool:
        """Delete an object's file, unless it was written again in the last `untouched` seconds.

        Such a file is about to get its row. Returns whether it is gone.
        """
        target = self.folder / path
        with self._locked(LOCK_EX):
            try:
                if time.time() - target.stat().st_mtime < untouched:
                    return False
                target.unlink()
            except FileNotFoundError:
                return True
        return True

    def old(self, seconds: float = DAY) -> Iterator[str]:
        """Yield the paths of objects that were written at least `seconds` ago."""
        before = time.time() - seconds
        for path in self._objects.glob("??/??/*.dcm"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime <= before:
                    yield str(path.relative_to(self.folder))

    def _touch(self, path: str, size: int) -> bool:
        """Mark a file that is there already as new, and make sure that it stays."""
        target = self.folder / path
        try:
            if target.stat().st_size != size:  # a disk's fault: written anew
                return False
            os.utime(target)
        except FileNotFoundError:
            return False
        # Whoever wrote it may not have come this far.
        _fsync_folder(target.parent)
        return True

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free - size < self._keep_free:
            raise SpoolFullError(
                f"no room on the disk: {free // 2**20} MiB are free, and "
                f"{self._keep_free // 2**20} MiB of them are kept free"
            )

    def _make_folder(self, folder: Path) -> None:
        """Make a folder whose name survives a crash."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)

    def _clean(self) -> None:
        """Remove what dead processes were writing."""
        host = socket.gethostname()
        for path in self._tmp.glob("*.part"):
            with suppress(FileNotFoundError):
                owner, _, pid = path.name.rpartition("-")[0].rpartition("-")
                abandoned = owner == host and pid.isdecimal() and not _alive(int(pid))
                if abandoned or time.time() - path.stat().st_mtime > DAY:
                    path.unlink()

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Keep files from being removed while they are written, and the other way round."""
        descriptor = os.open(self._tmp / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
