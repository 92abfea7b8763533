"""Received objects on the disk: whole and durable, or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_SH, flock
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from lungflag._disk import flush
from lungflag.errors import ConfigurationError, ServiceError, SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR, DAY = 3_600.0, 86_400.0
"""Seconds."""

_MIB = 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT}


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
    """The objects in the service's folder.

    Safe to share between threads, between processes, and between machines over NFS.

    ::

        objects/ab/abcd....dcm   what was received, named by the SHA-256 of its content
        tmp/                     what is being written

    Parameters
    ----------
    folder : Path
        The service's folder; made where it is not there.
    keep_free_mib : int
        Nothing is written that would leave less than this on the disk.

    Raises
    ------
    ConfigurationError
        If the folder cannot be made or written.
    """

    def __init__(self, folder: Path, keep_free_mib: int = 0) -> None:
        self.folder = folder
        self._keep_free = keep_free_mib * _MIB
        self._objects, self._tmp = folder / "objects", folder / "tmp"
        self._mark = f"{socket.gethostname()}-{os.getpid()}-"
        self._hashers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="spool")
        try:
            self._make_folders()
            self._clean()
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"folder {folder}: cannot be written ({reason})") from error

    def put(self, data: bytes) -> Stored:
        """Keep an object; return after it is on the disk. The same content is kept once.

        Raises
        ------
        SpoolFullError
            If there is no room. Nothing is left behind.
        ServiceError
            If the disk fails otherwise.
        """
        scratch = self._tmp / f"{self._mark}{uuid4().hex}.part"
        try:
            self._check_room(len(data))
            hashing = self._hashers.submit(sha256, data)  # while the disk is busy
            _write_durably(scratch, data)
            digest = hashing.result().hexdigest()
            target = self._objects / digest[:2] / f"{digest}.dcm"
            with self._locked(LOCK_SH):
                scratch.replace(target)
                flush(target.parent)
        except OSError as error:
            if error.errno in _FULL:
                raise SpoolFullError(f"no room on the disk: {error.strerror}") from error
            raise ServiceError(f"an object cannot be stored: {error.strerror or error}") from error
        finally:
            scratch.unlink(missing_ok=True)
        return Stored(str(target.relative_to(self.folder)), digest, len(data))

    def remove(self, path: str, *, untouched: float = HOUR) -> bool:
        """Delete an object's file, unless it was written in the last `untouched` seconds.

        Such a file may be about to get its row. Returns whether it is gone.
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
        for path in self._objects.glob("??/*.dcm"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime <= before:
                    yield str(path.relative_to(self.folder))

    def free_mib(self) -> int:
        """Return the room on the disk, in MiB."""
        return shutil.disk_usage(self.folder).free // _MIB

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free - size < self._keep_free:
            raise SpoolFullError(
                f"no room on the disk: {free // _MIB} MiB are free, "
                f"of which {self._keep_free // _MIB} MiB stay so"
            )

    def _make_folders(self) -> None:
        """Make all folders at once, so that no object has to wait for one."""
        self._tmp.mkdir(parents=True, exist_ok=True)
        self._objects.mkdir(exist_ok=True)
        for byte in range(256):
            (self._objects / f"{byte:02x}").mkdir(exist_ok=True)
        for made in (self._objects, self.folder, self.folder.absolute().parent):
            flush(made)

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
        """Let no file be removed that was just written anew in its place."""
        descriptor = os.open(self._tmp / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
