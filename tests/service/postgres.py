"""A real PostgreSQL server for tests, as an ordinary user's process on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import NullPool, create_engine, text

from tests.conftest import tool

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWNER = "postgres"  # the server refuses to run as root; Debian brings this user


class Postgres:
    """A server in a folder of its own. Trusts everybody on this machine."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._bin = _programs()
        self._numbers = count(1)
        self._reused: str | None = None
        self.port = _free_port()
        if os.getuid() == 0:
            shutil.chown(folder, _OWNER, _OWNER)
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8")
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "200",
            "fsync": "off",  # it dies with its processes here, never with the machine
        }
        text = "".join(f"{name} = '{value}'\n" for name, value in options.items())
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(text)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        deadline = time.monotonic() + 60
        # After a kill the processes that are left have to notice, and end.
        while not self._try("pg_ctl", "start", "--wait", "--silent", "--log", str(self._log)):
            assert time.monotonic() < deadline, self._log.read_text()

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` in good order, ``immediate`` like a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "--mode", mode)

    def kill(self) -> None:
        """Kill its first process, as lack of memory might; the others die with it."""
        os.kill(int((self._data / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)

    def new_url(self) -> str:
        """Return the URL of a fresh, empty database."""
        name = f"ledger{next(self._numbers)}"
        self._run(
            "createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres", name
        )
        return f"postgresql+pg8000://postgres@127.0.0.1:{self.port}/{name}"

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Show a certificate to whoever connects, from the next start on."""
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            copy = self._data / name
            shutil.copyfile(source, copy)
            copy.chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(copy, _OWNER, _OWNER)
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("ssl = on\n")

    def runs(self) -> bool:
        """Return whether it runs."""
        return self._try("pg_ctl", "status")

    def emptied_url(self) -> str:
        """Return the URL of an empty database, always the same: quicker than a fresh one."""
        if self._reused is None:
            self._reused = self.new_url()
        engine = create_engine(self._reused, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        return self._reused

    def _run(self, program: str, *arguments: str) -> None:
        fine = self._try(program, *arguments)
        assert fine, (program, self._log.exists() and self._log.read_text())

    def _try(self, program: str, *arguments: str) -> bool:
        as_owner = ["runuser", "-u", _OWNER, "--"] if os.getuid() == 0 else []
        done = subprocess.run(
            [*as_owner, str(self._bin / program), *arguments],
            env={**os.environ, "PGDATA": str(self._data), "LC_ALL": "C.UTF-8"},
            cwd=self._data.parent,
            # Not a pipe: the server keeps it open.
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
        return done.returncode == 0


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a server in a temporary folder."""
    # Not pytest's folder, which nobody else may enter; in memory where there is enough.
    shm = "/dev/shm"
    roomy = Path(shm).is_dir() and shutil.disk_usage(shm).free > 2**31
    folder = Path(tempfile.mkdtemp(prefix="lungflag-postgres-", dir=shm if roomy else None))
    try:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            if server.runs():
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the server's programs, which Debian keeps off the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else Path(tool("initdb")).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
