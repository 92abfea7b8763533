"""The station as a process of `lungflag serve`; see `lungflag.service.part`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lungflag.service.part import Ready, run_part
from lungflag.station.server import run_station

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings


def _station(settings: Settings, stop: Stop, ready: Ready) -> None:
    def tell(address: str, file: Path | None) -> None:
        ready({"station": address, "admin": "" if file is None else str(file)})

    run_station(settings, stop, tell)


if __name__ == "__main__":
    sys.exit(run_part({"station": _station}))
