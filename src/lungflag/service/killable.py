"""A process of our own that decodes what is foreign, and is killed when it overruns."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST_REPLY = 2**20
# A film's arrays are as large as the last one's: glibc shall keep their memory for the next film.
# To get it anew from the kernel, page by page, took a fifth of this process's time.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}


class Killable:
    """A process and the two pipes to it, by which lines of JSON go to and fro.

    Not for more than one thread. The kernel ends it with the thread that started it.

    Parameters
    ----------
    module : str
        What it runs. It gets the number of the pipe for its replies as its argument.
    setup : Mapping
        The first line that it reads.
    """

    def __init__(self, module: str, setup: Mapping[str, Any]) -> None:
        ours, its = os.pipe()
        to_it, from_us = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
            [sys.executable, "-P", "-m", module, str(its)],
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
        self.tell(setup)

    def allow(self, seconds: float) -> None:
        """Let the next line take so long from now."""
        self._allowed, self._deadline = seconds, monotonic() + seconds

    def tell(self, message: Mapping[str, Any]) -> None:
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
