"""Real processes: who is whose child."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def children(parent: int, word: str = "") -> list[int]:
    """Return the process ids of the children of `parent` whose command line holds `word`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended while we looked
            status = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if int(status[1]) == parent and status[0] != "Z" and word in command:
                found.append(int(path.name))
    return sorted(found)
