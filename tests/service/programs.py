"""The service's commands as processes of their own, started, watched and stopped by a test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Program:
    """A running ``lungflag`` command, and the lines that it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str]
    errors: list[str]

    def port(self, pattern: str) -> int:
        """Wait for a line, and return the number that the pattern finds in it."""
        found: list[str] = []

        def look() -> bool:
            assert self.process.poll() is None, "".join(self.errors)
            found.extend(re.findall(pattern, "".join(self.lines)))
            return bool(found)

        until(look, seconds=60, what=pattern)
        return int(found[0])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running(*words: str, **settings: object) -> Iterator[Program]:
    """Run ``lungflag WORDS`` with settings in its environment; kill what is left at the end."""
    given = {f"LUNGFLAG_{name.upper()}": str(value) for name, value in settings.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LUNGFLAG_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "lungflag", *words],
        env={**clean, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    program = Program(process, [], [])
    readers = [
        Thread(target=program.lines.extend, args=(process.stdout,)),
        Thread(target=program.errors.extend, args=(process.stderr,)),
    ]
    for reader in readers:
        reader.start()
    try:
        yield program
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
