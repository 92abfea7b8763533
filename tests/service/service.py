"""`lungflag serve` as people start it, for tests from end to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag.service.ledger import Ledger
from tests.service.toml import inline
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lungflag.service.ledger import Queue

PROGRAM = Path(sys.executable).with_name("lungflag")


@dataclass(frozen=True, slots=True)
class Serving:
    """A running `lungflag serve`.

    Attributes
    ----------
    process : subprocess.Popen
        It, and not its parts.
    folder : Path
        Its folder.
    said : Path
        What it says on standard output.
    log : Path
        What it says on standard error.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    said: Path
    log: Path

    @property
    def port(self) -> int:
        """The port of its DICOM node."""
        return self._port(r"C-STORE on \S+:(\d+)")

    @property
    def http_port(self) -> int:
        """The port of its HTTP server."""
        return self._port(r"STOW-RS on http\S+:(\d+)/studies")

    @property
    def station(self) -> str:
        """The address of its reading station, without a slash at the end."""
        found = re.search(r"the reading station is at (\S+)/", self.said.read_text())
        assert found, self.said.read_text()
        return found[1]

    def _port(self, pattern: str) -> int:
        found = re.search(pattern, self.said.read_text())
        assert found, self.said.read_text()
        return int(found[1])

    def queue(self) -> Queue:
        """Return what the ledger says of jobs and deliveries."""
        with Ledger.open(f"sqlite:///{self.folder / 'ledger.db'}") as ledger:
            return ledger.queue()

    def parts(self) -> list[int]:
        """Return the process ids of its parts, as they are named in `ps`."""
        from tests.service.processes import children

        return children(self.process.pid, "lungflag.service.part") + children(
            self.process.pid, "lungflag.station.part"
        )

    def wait_until_ready(self) -> None:
        """Return when it has said that it is ready."""
        until(
            lambda: self.process.poll() is not None or "ready" in self.said.read_text(),
            seconds=120,
            what="ready",
        )
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> int:
        """Ask it to stop, as systemd does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


@contextmanager
def serving(
    folder: Path, *, targets: Sequence[dict[str, Any]] = (), **settings: object
) -> Iterator[Serving]:
    """Run `lungflag serve` on free ports; at the end it stops in good order, or is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "folder": folder / "data",
        "model": "phantom",
        "port": 0,
        "http_port": 0,
        "station_port": 0,
        "keep_free_mib": 0,
        "memory_mib": 1024,
        "workers": 1,
        "targets": inline(list(targets)),
        **settings,
    }
    environment = {f"LUNGFLAG_{name.upper()}": str(value) for name, value in given.items()}
    said, log = folder / "said", folder / "log"
    with said.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(
            [str(PROGRAM), "serve"],
            env={**os.environ, **environment},
            stdout=out,
            stderr=err,
        )
    one = Serving(process, folder / "data", said, log)
    try:
        one.wait_until_ready()
        yield one
        if process.poll() is None:
            assert one.end() == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
