"""The pictures of received radiographs: from the disk, or decoded by a child."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, Queue
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from lungflag.errors import InputError, ServiceError
from lungflag.service.killable import Killable
from lungflag.station.pictures.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LOG = logging.getLogger(__name__)

FIRST_SIDE = 1024
"""A picture of this side is made with every one: it is what a viewer shows first."""
CACHE_MIB = 2048
"""Pictures on the disk; beyond it the ones that were longest not asked for go."""

_PROCESSES = 2
_STARTUP_SECONDS = 60.0
_SWEEP_SECONDS = 600.0
_FAILURES, _FAILURE_SECONDS = 1000, 600.0


class _AgainError(Exception):
    """A side was asked for after the child had been told which ones to make."""


class Pictures:
    """Pictures by the content of what was received. Safe to share between threads.

    Parameters
    ----------
    folder : Path
        The service's folder; pictures lie in its ``pictures``.
    memory_mib : int
        Memory of a process that decodes.
    seconds : float
        Time for one radiograph.
    cache_mib : int
        Room for pictures on the disk.
    """

    def __init__(
        self, folder: Path, *, memory_mib: int, seconds: float, cache_mib: int = CACHE_MIB
    ) -> None:
        self._objects = folder.absolute() / "objects"
        self._folder = folder.absolute() / "pictures"
        self._setup = {"parent": os.getpid(), "memory_mib": memory_mib}
        self._seconds = seconds
        self._most = cache_mib * 2**20
        self._lock, self._starting = Lock(), Lock()
        self._wanted: dict[tuple[str, int], Future[Picture]] = {}
        self._failed: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._begun: set[str] = set()
        self._tasks: Queue[tuple[str, Path] | None] = Queue()
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Make the folder and start the processes; else the first picture does."""
        with self._starting:
            if not self._threads:
                self._start()

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for scratch in self._folder.glob("*/*.tmp"):
            scratch.unlink(missing_ok=True)
        for number in range(_PROCESSES):
            # Threads that live as long as this, since a child dies with the one that started it.
            thread = Thread(target=self._work, name=f"pictures-{number + 1}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the processes."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def get(self, digest: str, path: Path, side: int) -> Picture:
        """Return a picture of an object.

        Parameters
        ----------
        digest : str
            SHA-256 of the object.
        path : Path
            Its file.
        side : int
            One of `lungflag.station.pictures.picture.SIDES`, or 0 for all pixels.

        Raises
        ------
        InputError
            If it cannot be decoded.
        ServiceError
            If that failed for another reason, or took too long.
        """
        found = self._on_disk(digest, side)
        if found is not None:
            return found
        self.start()
        while True:
            try:
                return self._wait(digest, path, side)
            except _AgainError:
                continue

    def _wait(self, digest: str, path: Path, side: int) -> Picture:
        """Wait for a picture that is to be made."""
        with self._lock:
            at, reason = self._failed.get(digest, (0.0, ""))
            if reason and monotonic() - at < _FAILURE_SECONDS:
                raise InputError(digest, reason)
            future = self._wanted.get((digest, side))
            if future is None:
                future = self._wanted[digest, side] = Future()
            if digest not in self._begun:
                self._begun.add(digest)
                self._tasks.put((digest, path))
        try:
            return future.result(2 * self._seconds + _STARTUP_SECONDS)
        except TimeoutError as error:
            raise ServiceError("too many pictures are being decoded") from error

    def _on_disk(self, digest: str, side: int) -> Picture | None:
        path = self._path(digest, side)
        picture = Picture.open(path)
        if picture is not None:
            with suppress(FileNotFoundError):
                os.utime(path)
        return picture

    def _path(self, digest: str, side: int) -> Path:
        return self._folder / digest[:2] / f"{digest}-{side}.grey"

    def _work(self) -> None:
        child: Killable | None = self._new_child()
        sweep_at = 0.0
        while True:
            if monotonic() >= sweep_at:
                self._sweep()
                sweep_at = monotonic() + _SWEEP_SECONDS
            try:
                task = self._tasks.get(timeout=_SWEEP_SECONDS)
            except Empty:
                continue
            if task is None:
                break
            if child is None:
                child = self._new_child()
            child = self._carry_out(child, *task)
        if child is not None:
            child.kill()

    def _new_child(self) -> Killable | None:
        child = Killable("lungflag.station.pictures.child", self._setup)
        child.allow(_STARTUP_SECONDS)
        if child.line(lambda: None) is None:
            _LOG.error("the process that decodes pictures does not start")
            child.kill()
            return None
        return child

    def _carry_out(self, child: Killable | None, digest: str, path: Path) -> Killable | None:
        """Have an object's pictures made, and return the child where it still lives."""
        if child is None:
            self._end(digest, ServiceError("pictures cannot be decoded here"))
            return None
        with self._lock:
            sides = [side for one, side in self._wanted if one == digest]
        missing = [
            (side, str(self._path(digest, side)))
            for side in dict.fromkeys((*sides, FIRST_SIDE, 0))
            if self._on_disk(digest, side) is None
        ]
        self._path(digest, 0).parent.mkdir(exist_ok=True)
        child.allow(self._seconds)
        child.tell({"path": str(path), "pictures": missing})
        while (line := child.line(lambda: None)) is not None:
            if "side" in line:
                self._settle(digest, line["side"])
            elif "failed" in line:
                self._end(digest, self._failure(digest, line))
                return child
            else:
                self._end(digest)
                self._shrink()
                return child
        reason = f"the process that decodes it {child.how_it_ended()}"
        child.kill()
        self._end(digest, self._failure(digest, {"failed": reason}))
        return None

    def _failure(self, digest: str, line: Mapping[str, Any]) -> InputError | ServiceError:
        """Return the error of a reply, and remember it where it is the object's fault."""
        if line.get("environment"):
            return ServiceError(line["failed"])
        with self._lock:  # what takes all the time that there is shall not do so again soon
            self._failed[digest] = (monotonic(), line["failed"])
            while len(self._failed) > _FAILURES:
                self._failed.popitem(last=False)
        return InputError(digest, line["failed"])

    def _settle(self, digest: str, side: int) -> None:
        """Give a picture to who waits for it."""
        picture = self._on_disk(digest, side)
        with self._lock:
            future = self._wanted.pop((digest, side), None)
        if future is not None and picture is not None:
            future.set_result(picture)
        elif future is not None:
            future.set_exception(ServiceError("there is no room for pictures"))

    def _end(self, digest: str, error: InputError | ServiceError | None = None) -> None:
        """Settle what is left: sides that were asked for while others were made."""
        with self._lock:
            self._begun.discard(digest)
            left = [key for key in self._wanted if key[0] == digest]
            futures = [(key[1], self._wanted.pop(key)) for key in left]
        for side, future in futures:
            picture = self._on_disk(digest, side)
            if picture is not None:
                future.set_result(picture)
            else:
                future.set_exception(error or _AgainError())

    def _shrink(self) -> None:
        """Delete the pictures that were longest not asked for, where there are too many."""
        found = []
        for path in self._folder.glob("*/*.grey"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _sweep(self) -> None:
        """Delete the pictures of objects that are gone: what is deleted by age leaves nothing."""
        for path in self._folder.glob("*/*.grey"):
            digest = path.name.partition("-")[0]
            if not (self._objects / digest[:2] / f"{digest}.dcm").exists():
                path.unlink(missing_ok=True)
