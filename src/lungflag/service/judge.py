"""The parent's end of the killable child: start it, feed it, and kill it when it overruns."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

from lungflag.errors import PackageError
from lungflag.service.tasks import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lungflag.service.tasks import Setup, Task

STARTUP_SECONDS = 120.0
"""Time for a child to load its model: on a busy machine it takes seconds."""

_LARGEST_REPLY = 2**20
# A film's arrays are as large as the last one's: glibc shall keep their memory for the next film.
# To get it anew from the kernel, page by page, took a fifth of this process's time.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}


class ChildLostError(Exception):
    """The child died or overran its time while it was at `task`.

    Parameters
    ----------
    task : Task
        The one that it was at.
    reason : str
        How it ended, in one line.
    """

    def __init__(self, task: Task, reason: str) -> None:
        super().__init__(reason)
        self.task = task
        self.reason = reason


class Judge:
    """One child at a time, which carries out the tasks put to it in their order.

    Not for more than one thread. Start it from the main thread: the kernel ends the child with the
    thread that started it.

    Parameters
    ----------
    setup : Setup
        What the child loads.
    name, version : str
        The package that it must turn out to be.
    seconds : float
        Time for one task.
    """

    def __init__(self, setup: Setup, *, name: str, version: str, seconds: float) -> None:
        self._setup = setup
        self._expected = {"name": name, "version": version}
        self._seconds = seconds
        self._child: _Child | None = None
        self._begun: deque[Task] = deque()

    @property
    def waiting(self) -> int:
        """How many tasks have been put and not taken."""
        return len(self._begun)

    def start(self) -> None:
        """Start a child unless one runs, and wait until it has loaded the model.

        Raises
        ------
        PackageError
            If the model cannot be loaded within the limits, or is another than the one expected.
        """
        if self._child is not None:
            return
        self._child = child = _Child(self._setup)
        child.allow(STARTUP_SECONDS)
        line = child.line(lambda: None)
        if line == self._expected:
            return
        reason = "the package was replaced while the worker ran"
        if line is None:
            reason = f"the process that loads it {child.how_it_ended()}"
        elif "failed" in line:
            reason = line["failed"]
        self.kill()
        raise PackageError(f"{self._setup.model}: {reason}")

    def put(self, task: Task) -> None:
        """Hand a task to the child that runs. It begins it when it has done the ones before."""
        child = self._running()
        if not self._begun:
            child.allow(self._seconds)
        self._begun.append(task)
        child.tell(asdict(task))

    def take(self, while_waiting: Callable[[], None]) -> Reply:
        """Wait for the reply to the oldest task, calling `while_waiting` a few times a second.

        Raises
        ------
        ChildLostError
            If the child died or overran. It is gone then, and so are the tasks that it held.
        """
        child = self._running()
        line = child.line(while_waiting)
        if line is None:
            task, end = self._begun[0], child.how_it_ended()
            self.kill()
            raise ChildLostError(task, f"the process that judged it {end}")
        self._begun.popleft()
        child.allow(self._seconds)
        return Reply.of(line)

    def kill(self) -> None:
        """End the child, if there is one, at once."""
        self._begun.clear()
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _running(self) -> _Child:
        if self._child is None:
            raise RuntimeError("no child has been started")
        return self._child


class _Child:
    """A process and the two pipes to it."""

    def __init__(self, setup: Setup) -> None:
        ours, its = os.pipe()
        to_it, from_us = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
            [sys.executable, "-P", "-m", "lungflag.service.child", str(its)],
            stdin=to_it,
            # Codecs print what they like, patient data too.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[its],
            env={**os.environ, **_KEEP_MEMORY},
        )
        os.close(to_it)
        os.close(its)
        self._tasks, self._replies = from_us, ours
        self._buffer = b""
        self._allowed = self._deadline = 0.0
        self.tell(asdict(setup))

    def allow(self, seconds: float) -> None:
        """Let the next line take so long from now."""
        self._allowed, self._deadline = seconds, monotonic() + seconds

    def tell(self, message: dict[str, Any]) -> None:
        """Send a line, if it still lives."""
        with suppress(BrokenPipeError):  # it has died; `line` tells
            os.write(self._tasks, json.dumps(message).encode() + b"\n")

    def line(self, while_waiting: Callable[[], None]) -> dict[str, Any] | None:
        """Return its next line, or None where it died, or the deadline passed."""
        while b"\n" not in self._buffer:
            while_waiting()
            left = self._deadline - monotonic()
            if select.select([self._replies], [], [], min(max(left, 0.0), 0.2))[0]:
                chunk = os.read(self._replies, 2**16)
                if not chunk or len(self._buffer) > _LARGEST_REPLY:
                    return None
                self._buffer += chunk
            elif left <= 0:
                return None
        first, _, self._buffer = self._buffer.partition(b"\n")
        line: dict[str, Any] = json.loads(first)
        return line

    def how_it_ended(self) -> str:
        """Return why there is no next line, in words that follow a noun."""
        if monotonic() >= self._deadline:
            return f"took longer than {self._allowed:g} s"
        code = self._process.wait(timeout=10)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def kill(self) -> None:
        """End it, and free what it held."""
        self._process.kill()
        self._process.wait()
        os.close(self._tasks)
        os.close(self._replies)
