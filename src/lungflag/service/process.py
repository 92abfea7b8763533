"""Processes that stop when they are told to, and never outlive the one that started them."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Have the kernel send this process `number` when the process `parent` ends, however it ends.

    It does nothing but on Linux, where a process that is stuck in a codec would otherwise stay
    behind and never read that its pipe is closed.

    Parameters
    ----------
    number : signal.Signals
        ``SIGKILL`` for one that may be stuck, ``SIGTERM`` for one that has something to put away.
    parent : int
        The process id of the parent, as the parent knows it: it may be gone already.
    """
    if not sys.platform.startswith("linux"):
        return
    from ctypes import CDLL, get_errno

    if CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(get_errno(), "prctl failed")
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


class Stop:
    """Something to wait for that a signal handler may set, and any thread may ask about.

    `threading.Event` takes a lock to be set: a handler that runs in the thread which holds that
    lock would wait for itself.
    """

    def __init__(self) -> None:
        self._asked = False
        self._read, self._write = os.pipe()

    def set(self) -> None:
        """Wake whoever waits, now and later."""
        self._asked = True
        os.write(self._write, b"\0")

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, or that long, and return whether it is."""
        if not self._asked:
            select.select([self._read], [], [], seconds)
        return self._asked


def stop_on_signals(*, interrupt: bool = True) -> Stop:
    """Return what SIGTERM sets, and SIGINT if `interrupt`; otherwise SIGINT is ignored.

    Ignored, because a terminal sends it to the whole process group, and the parts of a group are
    to stop in an order that their leader knows.
    """
    stop = Stop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask if interrupt else signal.SIG_IGN)
    return stop
