"""`lungflag serve`: the whole service on one machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag.cli._settings import EVERY, with_settings
from lungflag.cli.station import station_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lungflag.package import ModelPackage
    from lungflag.service.ledger import Ledger
    from lungflag.service.settings import Settings

STATION = "lungflag.station.part:station"
"""The part that is of a room above the service."""

_LOOK_SECONDS = 2.0


@with_settings(*EVERY)
def serve(settings: Settings) -> None:
    """Run the whole service: take radiographs in, judge them, deliver what was found.

    Example: lungflag serve, then elsewhere: storescu -aec LUNGFLAG localhost 11112 film.dcm

    Without settings: on this machine alone, with everything in ./lungflag-data, results too.
    """
    from lungflag.cli._console import errors
    from lungflag.package import ModelPackage, find_package
    from lungflag.service.ledger import Ledger
    from lungflag.service.logs import start_logging
    from lungflag.service.process import stop_on_signals
    from lungflag.service.serve import Group
    from lungflag.service.spool import Spool
    from lungflag.station.security.exposure import check_exposure

    start_logging(settings.log_level)
    check_exposure(settings)
    package = ModelPackage.read(find_package(settings.model))
    package.operating_point(settings.operating_point or None)
    Spool(settings.folder, settings.keep_free_mib)  # or an error, before anything is started
    stop = stop_on_signals()
    kinds = ["node", STATION, *["worker"] * settings.workers, "sender"]
    banner = _Banner(settings, package, len(kinds))
    with Ledger.open(settings.database_url, create=True) as ledger:
        if not errors.is_terminal:
            Group(settings, kinds, banner.ready).run(stop, lambda: None)
            return
        if settings.log_level == "info":  # a person sees what is wrong, and the rest in one line
            settings = replace(settings, log_level="warning")
        with errors.status("starting", spinner="line") as status:
            Group(settings, kinds, banner.ready).run(stop, _Look(ledger, status.update))


class _Banner:
    """Says once what the service is and where, as soon as all of its parts are ready."""

    def __init__(self, settings: Settings, package: ModelPackage, parts: int) -> None:
        self._settings, self._package = settings, package
        self._missing = parts
        self._listeners: list[str] = []
        self._station: tuple[str, Path | None] | None = None
        self._seen: set[str] = set()

    def ready(self, part: str, facts: Mapping[str, Any]) -> None:
        """Note that a part is ready."""
        self._seen.add(part)
        self._listeners = facts.get("listeners", self._listeners)
        if "station" in facts:
            self._station = str(facts["station"]), Path(facts["admin"]) if facts["admin"] else None
        if len(self._seen) == self._missing:
            self._missing = 0
            self._print()

    def _print(self) -> None:
        from lungflag.cli._console import output, say

        settings, package = self._settings, self._package
        point = package.operating_point(settings.operating_point or None)
        say(f"lungflag serve: {package.name} {package.version}, operating point {point.name}")
        for line in self._listeners:
            say(f"  {line}")
        for target in settings.targets:
            where = Path(target.address).absolute() if target.kind == "files" else target.address
            say(f"  results ({', '.join(target.send)}) go to {target.name}: {where}")
        for line in station_lines(*self._station) if self._station else []:
            say(f"  {line}")
        say(f"  everything is kept in {settings.folder.absolute()}")
        say("ready; Ctrl-C ends it")
        output.file.flush()


class _Look:
    """A line for people at a terminal: what waits, and what has been done."""

    def __init__(self, ledger: Ledger, show: Callable[[str], None]) -> None:
        self._ledger, self._show = ledger, show
        self._due = 0.0

    def __call__(self) -> None:
        """Look again, if it is time to."""
        from time import monotonic

        from lungflag.errors import LungflagError

        if monotonic() < self._due:
            return
        self._due = monotonic() + _LOOK_SECONDS
        try:
            queue = self._ledger.queue()
        except LungflagError as error:
            self._show(f"{error}")
            return
        words = [
            f"{queue.jobs_waiting} waiting",
            f"{queue.jobs_leased} at work",
            f"{queue.jobs_done} judged",
            f"{queue.deliveries_waiting + queue.deliveries_leased} results due",
            f"{queue.deliveries_done} delivered",
        ]
        if queue.deliveries_dead:
            words.append(f"{queue.deliveries_dead} given up: lungflag deliveries list")
        self._show(" · ".join(words))
