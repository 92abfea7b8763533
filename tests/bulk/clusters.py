"""A real Ray cluster on this machine: a head and workers, each in a session of its own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_STORE = 80_000_000


class Cluster:
    """Nodes that can be started and lost.

    Attributes
    ----------
    address : str
        The head's.
    environment : dict[str, str]
        What a process needs to join.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[subprocess.Popen[bytes]] = []
        self.address = ""
        self.environment = {
            "RAY_USAGE_STATS_ENABLED": "0",
            # Who reaches these ports cannot use them: the secret is this cluster's own.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_worker_niceness": "0",
        }
        self._start("--head", "--port=0", f"--temp-dir={folder}", "--include-dashboard=false")
        until(self._read_address, seconds=120, what="the head")

    def _read_address(self) -> bool:
        with suppress(FileNotFoundError):
            self.address = (self._folder / "ray_current_cluster").read_text().strip()
        return bool(self.address)

    def add(self) -> None:
        """Start a worker of one CPU, and wait until it says that it runs."""
        log = self._start(f"--address={self.address}", cpus=1)
        until(lambda: "Ray runtime started" in log.read_text(), seconds=120, what="a worker")

    def lose(self, number: int) -> None:
        """Kill every process of a worker at once; 1 was the first."""
        _kill_session(self._nodes[number].pid)

    def kill_an_actor(self) -> None:
        """Kill one process that judges."""
        actors = self.actors()
        assert actors
        with suppress(ProcessLookupError):
            os.kill(actors[0], signal.SIGKILL)

    def actors(self) -> list[int]:
        """Return the processes that judge."""
        sessions = {node.pid for node in self._nodes}
        return [
            pid for pid, session, words in _processes() if session in sessions and "_Actor" in words
        ]

    def stop(self) -> None:
        """Kill all that is left."""
        for node in self._nodes:
            _kill_session(node.pid)
            node.wait()

    def _start(self, *options: str, cpus: int = 0) -> Path:
        # Each node has a loopback address of its own.
        number = len(self._nodes)
        log = self._folder / f"node-{number}.log"
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options]
        command += [f"--num-cpus={cpus}", f"--object-store-memory={_STORE}"]
        with log.open("wb") as file:
            node = subprocess.Popen(
                [*command, f"--node-ip-address=127.0.0.{number + 2}"],
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        self._nodes.append(node)
        return log


@contextmanager
def running_cluster(workers: int) -> Iterator[Cluster]:
    """Start a cluster whose head judges nothing, and kill it at the end."""
    # Not below pytest's folder: a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        try:
            for _ in range(workers):
                cluster.add()
            yield cluster
        finally:
            cluster.stop()


def _kill_session(session: int) -> None:
    for pid, its, _ in _processes():
        if its == session:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[tuple[int, int, str]]:
    """Return process id, session and command of what runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            status = (path / "stat").read_text().rpartition(")")[2].split()
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if status[0] != "Z":
                found.append((int(path.name), int(status[3]), words))
    return found
