"""The parent's end of the killable child: start it, feed it, and kill it when it overruns."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING

from lungflag.errors import PackageError
from lungflag.service.killable import Killable
from lungflag.service.tasks import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lungflag.service.tasks import Setup, Task

STARTUP_SECONDS = 120.0
"""Time for a child to load its model: on a busy machine it takes seconds."""


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

    Attributes
    ----------
    provider : str
        What runs the network, ``CUDA`` or ``CPU``, once a child has started.
    """

    def __init__(self, setup: Setup, *, name: str, version: str, seconds: float) -> None:
        self._setup = setup
        self._expected = {"name": name, "version": version}
        self._seconds = seconds
        self.provider = ""
        self._child: Killable | None = None
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
        self._child = child = Killable("lungflag.service.child", asdict(self._setup))
        child.allow(STARTUP_SECONDS)
        line = child.line(lambda: None)
        if line is not None and line.items() >= self._expected.items():
            self.provider = line["provider"]
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

    def _running(self) -> Killable:
        if self._child is None:
            raise RuntimeError("no child has been started")
        return self._child
