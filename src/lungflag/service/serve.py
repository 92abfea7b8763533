"""`lungflag serve`: its parts as a group of processes, kept alive and stopped in order."""

from __future__ import annotations

import json
import logging
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from lungflag.errors import ServiceError
from lungflag.service.deliver.backoff import Backoff
from lungflag.service.part import order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings

_LOG = logging.getLogger(__name__)

GRACE_SECONDS = 60.0
"""How long a part may take to stop before it is killed."""
SETTLED_SECONDS = 60.0
"""A part that lived so long is no longer held for one that keeps failing."""

_LOOK_SECONDS = 0.2
_LAST_SECONDS = 5.0  # from the end of a part's output to its own


class Group:
    """The processes of the service. Run it in the main thread: they die with their starter.

    Parameters
    ----------
    settings : Settings
        Of the service.
    kinds : sequence of str
        The parts to run, in the order in which they are stopped; see `lungflag.service.part`.
        One of a room above this one is named as ``MODULE:PART``.
    on_ready : callable
        Called with a part's name and what it says of itself, each time that it is ready.

    Notes
    -----
    A part that ends is started again, after a pause that grows while it keeps failing. One that
    says what is wrong before it was ever ready ends the group: its settings will not get better.
    """

    def __init__(
        self,
        settings: Settings,
        kinds: Sequence[str],
        on_ready: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._parts = list(_named(kinds))
        self._running: dict[_Part, _Process] = {}
        self._selector = selectors.DefaultSelector()

    def run(self, stop: Stop, on_look: Callable[[], None]) -> None:
        """Run the parts until `stop` is set, and stop them in their order.

        Parameters
        ----------
        stop : Stop
            When to end.
        on_look : callable
            Called a few times a second.

        Raises
        ------
        ServiceError
            If a part cannot be started with these settings.
        """
        try:
            while not stop.is_set():
                for part in self._parts:
                    if part not in self._running and monotonic() >= part.due:
                        self._start(part)
                for key, _ in self._selector.select(_LOOK_SECONDS):
                    self._hear(key.data)
                on_look()
        finally:
            self._stop()
            self._selector.close()

    def _start(self, part: _Part) -> None:
        process = _Process(part.kind, order(self._settings))
        self._running[part] = process
        self._selector.register(process.words, selectors.EVENT_READ, part)

    def _hear(self, part: _Part) -> None:
        """Take note of what a part says, or that it says nothing any more."""
        line = self._running[part].words.readline()
        if not line:
            self._restart(part)
            return
        said = json.loads(line)
        if "failed" not in said:
            part.was_ready = True
            self._on_ready(part.name, said)
        elif part.was_ready:
            _LOG.error("part failed", extra={"part": part.name, "reason": said["failed"]})
        else:
            raise ServiceError(said["failed"])

    def _restart(self, part: _Part) -> None:
        """Bury a part that has ended, and plan its next start."""
        lived = monotonic() - self._running[part].started
        code = self._bury(part, _LAST_SECONDS)
        pause = part.pause_after(lived)
        part.due = monotonic() + pause
        facts = {"part": part.name, "code": code, "pause": round(pause, 1)}
        _LOG.error("part ended", extra=facts)

    def _stop(self) -> None:
        """Stop the parts one kind after the other: first the door, last the sender."""
        for kind in dict.fromkeys(part.kind for part in self._parts):
            ours = [part for part in self._running if part.kind == kind]
            for part in ours:
                self._running[part].terminate()
            until = monotonic() + GRACE_SECONDS
            for part in ours:
                self._bury(part, until - monotonic())

    def _bury(self, part: _Part, seconds: float) -> int:
        """Wait for a part's end, then kill it. Return its exit code."""
        process = self._running.pop(part)
        self._selector.unregister(process.words)
        return process.end(seconds)


class _Part:
    """One of the parts, over all the processes that it is run by."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.was_ready = False
        self.due = 0.0
        self._failures = 0
        self._backoff = Backoff(first=0.5, longest=30.0)

    def pause_after(self, lived: float) -> float:
        """Return how long to wait before the next start, after one that lived some seconds."""
        self._failures = 1 if lived > SETTLED_SECONDS else self._failures + 1
        return self._backoff.seconds(self._failures)


class _Process:
    """A part's process."""

    words: IO[str]

    def __init__(self, kind: str, ordered: str) -> None:
        self.started = monotonic()
        module, _, part = kind.rpartition(":")
        self._process = subprocess.Popen(  # noqa: S603  # one of our own parts
            [sys.executable, "-P", "-m", module or "lungflag.service.part", part],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("started without pipes")
        self.words = self._process.stdout
        with suppress(BrokenPipeError):  # it has died already, which its other pipe tells
            self._process.stdin.write(ordered)
            self._process.stdin.close()

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.send_signal(signal.SIGTERM)

    def end(self, seconds: float) -> int:
        """Wait for its end, then kill it, and return its exit code."""
        try:
            code = self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self.words.close()
        return code


def _named(kinds: Sequence[str]) -> Iterator[_Part]:
    for number, kind in enumerate(kinds):
        nth = kinds[:number].count(kind) + 1
        name = kind.rpartition(":")[2]
        yield _Part(f"{name} {nth}" if kinds.count(kind) > 1 else name, kind)
