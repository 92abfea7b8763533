"""The programs of dcmtk as peers of the node."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.conftest import tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def call(
    program: str,
    port: int,
    *files: Path,
    options: Sequence[object] = (),
    called: str = "LUNGFLAG",
    calling: str = "MODALITY",
) -> str:
    """Run a program against a node; return what it says went wrong, empty if nothing did."""
    done = subprocess.run(
        [
            *(tool(program), "-v", "-aet", calling, "-aec", called),
            *map(str, options),
            *("127.0.0.1", str(port)),
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else f"{done.returncode}: {done.stdout}{done.stderr}"
