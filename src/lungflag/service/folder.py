"""A watch folder: files that are dropped into it are taken in, and moved to ``done`` or ``failed``.

A file is touched once it is whole: nobody has it open to write, and it has not changed for a
while. Files in the making may also be hidden, or be called ``*.part`` or ``*.tmp``, and renamed
when they are whole. After a crash a file is still where it was, and taking it in again is harmless.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import zlib
from contextlib import suppress
from dataclasses import dataclass
from fcntl import F_RDLCK, F_SETLEASE, F_UNLCK, fcntl
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lungflag.errors import ConfigurationError, InputError
from lungflag.radiograph.guard import guarded
from lungflag.service.failure import Failure, refusal, take_in
from lungflag.service.room import LARGEST_OBJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.intake import Intake

DONE, FAILED = "done", "failed"

SETTLED_SECONDS = 2.0
"""How long a file must not have changed."""

CUT_SHORT_SECONDS = 60.0
"""The same for one that seems to lack its end: then it is as whole as it gets."""

LOOK_SECONDS = 1.0
RETRY_SECONDS = 10.0
"""Pause after a file that could not be taken in for now: no room, no ledger."""

_WRITING = (".part", ".tmp", ".filepart", ".crdownload")
_LARGE = 2**16  # elements above it are not read to see whether the file is whole
_LAST = b"\xfe\xff\xdd\xe0"  # sequence delimitation item: the end of encapsulated pixel data
_DAY = 86_400.0
_LOG = logging.getLogger(__name__)


class _Print(NamedTuple):
    """What changes when a file does."""

    inode: int
    size: int
    changed: int


@dataclass(slots=True)
class _Seen:
    print: _Print
    since: float
    given_up: bool = False


class WatchFolder:
    """Takes in what is dropped into a folder, from a thread of its own.

    Parameters
    ----------
    folder : Path
        The folder, with its subfolders; made where it is not there.
    intake : Intake
        The door for objects.
    keep_days : int
        Days after which what is in ``done`` and ``failed`` is deleted. 0: never.
    settled, cut_short : float
        See `SETTLED_SECONDS` and `CUT_SHORT_SECONDS`.

    Raises
    ------
    ConfigurationError
        If the folder cannot be made or written.
    """

    def __init__(
        self,
        folder: Path,
        intake: Intake,
        *,
        keep_days: int = 0,
        settled: float = SETTLED_SECONDS,
        cut_short: float = CUT_SHORT_SECONDS,
    ) -> None:
        self._folder, self._intake, self._keep_days = folder, intake, keep_days
        self._settled, self._cut_short = settled, cut_short
        self._seen: dict[Path, _Seen] = {}
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="watch folder")
        try:
            for place in (DONE, FAILED):
                (folder / place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"watch {folder}: cannot be written ({reason})") from error

    @property
    def alive(self) -> bool:
        """Whether it watches."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Watch, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Take in no more files; the one at hand is finished."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> float:
        """Take in every file that is whole; return how long to wait for the next look."""
        known, self._seen = self._seen, {}
        pause = LOOK_SECONDS
        for path, print_ in sorted(self._files(), key=lambda found: found[1].changed):
            seen = known.get(path)
            if seen is None or seen.print != print_:
                seen = _Seen(print_, monotonic())
            self._seen[path] = seen
            due = monotonic() - seen.since >= self._settled and not seen.given_up
            if due and pause == LOOK_SECONDS and not self._stopping.is_set():
                pause = self._try(path, seen)
        return pause

    def expire(self) -> None:
        """Delete what has been in ``done`` and ``failed`` for longer than is allowed."""
        if not self._keep_days:
            return
        before = time() - self._keep_days * _DAY
        for place in (DONE, FAILED):
            for path in (self._folder / place).rglob("*"):
                with suppress(OSError):
                    # The time of the move, not of the file's content.
                    if not path.is_dir() and path.lstat().st_ctime < before:
                        path.unlink()

    def _run(self) -> None:
        expired = -_DAY
        while not self._stopping.is_set():
            try:
                pause = self.look()
                if monotonic() - expired > _DAY / 24:
                    self.expire()
                    expired = monotonic()
            except OSError as error:  # the folder is away, or full
                _LOG.warning("the watch folder cannot be used: %s", error.strerror)
                pause = RETRY_SECONDS
            self._stopping.wait(pause)

    def _files(self) -> Iterator[tuple[Path, _Print]]:
        """Yield the regular files that may be whole."""
        for where, folders, names in os.walk(self._folder):
            here = Path(where)
            kept = (DONE, FAILED) if here == self._folder else ()
            folders[:] = [name for name in folders if name not in kept and name[0] != "."]
            for name in names:
                if name[0] == "." or name.lower().endswith(_WRITING):
                    continue
                with suppress(FileNotFoundError):
                    status = (here / name).lstat()
                    if stat.S_ISREG(status.st_mode):
                        yield here / name, _print(status)

    def _try(self, path: Path, seen: _Seen) -> float:
        """Take in one file, and return how long to wait for the next look."""
        try:
            data = self._content(path, seen)
        except OSError as error:
            seen.given_up = True  # until it changes
            _LOG.warning("a file in the watch folder cannot be read: %s", error.strerror)
            return LOOK_SECONDS
        if data is None:
            return LOOK_SECONDS
        if len(data) > LARGEST_OBJECT:
            answer: object = refusal("too-large")
        else:
            answer = take_in(self._intake, data, via="folder", peer=str(self._folder))
        if isinstance(answer, Failure) and answer.passing:
            _LOG.warning("a file in the watch folder has to wait: %s", answer.comment)
            return RETRY_SECONDS
        try:
            self._move(path, answer.comment if isinstance(answer, Failure) else "")
        except OSError as error:
            seen.given_up = True
            _LOG.warning("a file in the watch folder cannot be moved: %s", error.strerror)
        return LOOK_SECONDS

    def _content(self, path: Path, seen: _Seen) -> bytes | None:
        """Return a file's content if it is whole, else None."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if _is_written(descriptor) or _print(os.fstat(descriptor)) != seen.print:
                return None
            data = file.read(LARGEST_OBJECT + 1)
        patient = monotonic() - seen.since < self._cut_short
        return None if patient and _is_cut_short(data) else data

    def _move(self, path: Path, reason: str) -> None:
        """Move a file out of the way, with the reason beside it if it failed."""
        place = self._folder / (FAILED if reason else DONE)
        target = _free(place / path.relative_to(self._folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        if reason:
            target.with_name(target.name + ".reason.txt").write_text(reason + "\n", "utf-8")
        path.rename(target)


def _print(status: os.stat_result) -> _Print:
    return _Print(status.st_ino, status.st_size, status.st_mtime_ns)


def _is_written(descriptor: int) -> bool:
    """Return whether anybody on this machine has the file open to write.

    Linux grants a read lease only where nobody has (fcntl(2)). Where it cannot tell, on a network's
    file system or of another user's file, it is not known: then time has to do.
    """
    try:
        fcntl(descriptor, F_SETLEASE, F_RDLCK)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    fcntl(descriptor, F_SETLEASE, F_UNLCK)
    return False


def _is_cut_short(data: bytes) -> bool:
    """Return whether a DICOM file ends before its pixel data do, or cannot be read to its end."""
    if data[128:132] != b"DICM":
        return len(data) < 132
    try:
        with guarded("the file", "cannot be read"):
            if DeflatedExplicitVRLittleEndian.encode() in data[:1024]:
                return not _inflates_to_an_end(data)
            ds = dcmread(BytesIO(data), defer_size=_LARGE)
            pixels = ds.get_item("PixelData", keep_deferred=True) if "PixelData" in ds else None
    except InputError:
        return True
    if isinstance(pixels, RawDataElement) and pixels.length != 0xFFFFFFFF:
        return pixels.value_tell + pixels.length > len(data)
    return pixels is None or _LAST not in data[-_LARGE:]


def _inflates_to_an_end(data: bytes) -> bool:
    """Return whether a deflated data set has its end, without keeping what it inflates to."""
    # (0002,0000) File Meta Information Group Length comes first, and counts from its own end.
    start = 144 + int.from_bytes(data[140:144], "little")
    inflater, rest = zlib.decompressobj(-zlib.MAX_WBITS), data[start:]
    while rest and not inflater.eof:
        inflater.decompress(rest, _LARGE)
        rest = inflater.unconsumed_tail
    return inflater.eof


def _free(path: Path) -> Path:
    """Return a path that is not taken: `path`, or else with a number."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
