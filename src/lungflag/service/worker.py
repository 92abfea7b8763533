"""The worker: leases jobs, has the killable child judge them, and enters what came of it."""

from __future__ import annotations

import logging
import os
import socket
from base64 import b64decode
from collections import deque
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from lungflag._disk import flush
from lungflag.detector import usable_cpus
from lungflag.errors import LedgerError, PackageError, SpoolFullError
from lungflag.package import ModelPackage, find_package
from lungflag.service.amending import Amender, known
from lungflag.service.audit import Audit
from lungflag.service.judge import ChildLostError, Judge
from lungflag.service.ledger import NewDelivery, OutcomeRecord
from lungflag.service.results import NAMES, discard, keep_only, publish
from lungflag.service.tasks import Setup, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lungflag.service.ledger import Job, Ledger
    from lungflag.service.process import Stop
    from lungflag.service.settings import Settings
    from lungflag.service.tasks import Reply

_LOG = logging.getLogger(__name__)

_SHORTEST_POLL, _LONGEST_POLL = 0.05, 0.5
_LOOK_AHEAD = 2  # tasks at the child: it judges one while the last one is entered
_LONGEST_PAUSE = 60.0


class Worker:
    """Judges what waits in the ledger for one package version, until it is told to stop.

    Not for more than one thread. Run it in the main thread, see `Judge`.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where jobs come from and outcomes go.

    Raises
    ------
    PackageError
        If the model package cannot be used.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._package = ModelPackage.read(find_package(settings.model))
        self._package.operating_point(settings.operating_point or None)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._results = settings.folder.absolute() / "results"
        self._results.mkdir(parents=True, exist_ok=True)
        flush(settings.folder)
        setup = Setup(
            model=settings.model,
            operating_point=settings.operating_point,
            threads=max(1, usable_cpus() // settings.workers),
            memory_mib=settings.memory_mib,
            parent=os.getpid(),
        )
        self._judge = Judge(
            setup,
            name=self._package.name,
            version=self._package.version,
            seconds=settings.timeout_seconds,
        )
        self._amender = Amender(
            settings,
            ledger,
            self._judge,
            worker=self._name,
            package=self._package.name,
            version=self._package.version,
        )
        self._held: deque[Job] = deque()
        self._extend_at = 0.0
        self._pace = Pace(settings.batch)
        self._troubled = False

    @property
    def package(self) -> str:
        """Name and version of the model package."""
        return f"{self._package.name} {self._package.version}"

    def run(self, stop: Stop, ready: Callable[[], None]) -> None:
        """Work until `stop` is set; then finish the instance at hand and give back the others.

        Parameters
        ----------
        stop : Stop
            When to end.
        ready : callable
            Called when the model is loaded.

        Raises
        ------
        PackageError
            If the child cannot load the model.
        """
        try:
            self._judge.start()
            ready()
            with Audit(self._settings, self._ledger, "worker").running():
                while not stop.is_set():
                    stop.wait(self._turn(stop))
        finally:
            self._judge.kill()

    def _turn(self, stop: Stop) -> float:
        """Do one batch, or find that there is none. Return how long to wait."""
        try:
            jobs = self._ledger.lease_jobs(
                self._name,
                self._package.name,
                self._package.version,
                self._pace.wanted,
                self._settings.lease_seconds,
            )
            self._pace.got(len(jobs))
            self._do(jobs, stop)
            amended = self._amender.turn()
        except (LedgerError, SpoolFullError) as error:
            # Leases run out by themselves, and whatever was not entered is judged again.
            self._judge.kill()
            _LOG.error("ledger away", extra={"reason": str(error)})
            return _LONGEST_POLL
        if self._troubled:
            return _LONGEST_POLL
        return 0.0 if jobs or amended else self._pace.pause

    def _do(self, jobs: list[Job], stop: Stop) -> None:
        """Judge a batch, as long as nobody says stop and results can be written."""
        self._held = deque(jobs)
        self._extend_at = monotonic() + self._settings.lease_seconds / 3
        ahead, self._troubled = deque(jobs), False
        try:
            self._judge.start()
            while not (stop.is_set() or self._troubled) and self._fed(ahead):
                reply = self._judge.take(self._keep_leases)
                self._enter(self._held.popleft(), reply)
        except ChildLostError as lost:
            self._give_up(self._held.popleft(), lost.reason)
        except PackageError:
            self._give_back_unbegun()
            raise
        if self._held:
            self._judge.kill()
            self._give_back_unbegun()

    def _fed(self, ahead: deque[Job]) -> bool:
        """Keep the child supplied, and return whether it has anything to do."""
        while ahead and self._judge.waiting < _LOOK_AHEAD:
            self._judge.put(self._task(ahead.popleft()))
        return self._judge.waiting > 0

    def _task(self, job: Job) -> Task:
        """Return what the child is to do: less and less of the object the more often it failed."""
        failed = job.attempts - 1
        source: Literal["pixels", "header", "row"] = "pixels"
        if failed >= self._settings.attempts:
            source = "header" if failed == self._settings.attempts else "row"
        return Task(
            number=job.id,
            path=str(self._settings.folder.absolute() / job.path),
            folder=str(self._folder(job).with_suffix(".tmp")),
            at=job.received_at.isoformat(),
            known=known(self._ledger.instance(job.sop_instance_uid)),
            source=source,
            raster=job.raster,
            reason="" if source == "pixels" else f"judging it failed {failed} times",
        )

    def _folder(self, job: Job) -> Path:
        return self._results / str(job.id) / str(job.attempts)

    def _enter(self, job: Job, reply: Reply) -> None:
        """Enter the child's reply in the ledger."""
        folder = self._folder(job)
        error = reply.error or _published(folder)
        if error:
            self._troubled = reply.environment or not reply.error
            self._give_up(job, error)
            return
        record = _record(reply, str(folder.relative_to(self._settings.folder.absolute())))
        if not self._ledger.complete(job, record, list(self._deliveries(job, reply))):
            discard(folder)
            _LOG.warning("lease lost", extra={"job": job.id})
            return
        keep_only(folder)
        _log_outcome(job, reply)

    def _deliveries(self, job: Job, reply: Reply) -> Iterator[NewDelivery]:
        """Yield what is to go where: nothing of an image file, for which there is no study."""
        if job.raster:
            return
        folder = self._folder(job).relative_to(self._settings.folder.absolute())
        for target in self._settings.targets:
            for result in reply.rendered:
                if result.kind in target.send:
                    path = str(folder / NAMES[result.kind])
                    yield NewDelivery(
                        target=target.name, kind=result.kind, path=path, uid=result.uid
                    )

    def _give_up(self, job: Job, reason: str) -> None:
        """Put back a job that failed, for another attempt after a pause.

        The attempt does not count where the machine failed, and not the instance.
        """
        discard(self._folder(job))
        pause = min(_LONGEST_PAUSE, 0.5 * 2.0 ** (job.attempts - 1))
        self._ledger.give_back([job], "" if self._troubled else reason, pause)
        _LOG.warning(
            "attempt failed", extra={"job": job.id, "attempt": job.attempts, "reason": reason}
        )

    def _give_back_unbegun(self) -> None:
        """Put back what nobody has looked at yet."""
        for job in self._held:
            discard(self._folder(job))
        self._ledger.give_back(list(self._held), "", 0.0)
        self._held.clear()

    def _keep_leases(self) -> None:
        """Let the leases of a long batch last longer."""
        if monotonic() >= self._extend_at:
            self._ledger.extend(list(self._held), self._settings.lease_seconds)
            self._extend_at = monotonic() + self._settings.lease_seconds / 3


class Pace:
    """How many jobs to ask for: one when idle, so that it is answered at once; more when busy.

    Parameters
    ----------
    most : int
        Jobs in a batch.

    Attributes
    ----------
    wanted : int
        Jobs to ask for.
    pause : float
        Seconds to wait before asking again, where there were none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.wanted = 1
        self.pause = _SHORTEST_POLL

    def got(self, n: int) -> None:
        """Note how many jobs there were."""
        self.pause = _SHORTEST_POLL if n else min(1.5 * self.pause, _LONGEST_POLL)
        self.wanted = min(2 * self.wanted, self._most) if n >= self.wanted else 1


def _published(folder: Path) -> str:
    """Make an attempt's results final, or return why they cannot be."""
    try:
        publish(folder.with_suffix(".tmp"))
    except OSError as error:
        return f"results cannot be written ({error.strerror or error})"
    return ""


def _record(reply: Reply, results: str) -> OutcomeRecord:
    fields: dict[str, Any] = {**reply.outcome, **reply.arrays}
    for name in ("heatmap", "embedding"):
        if name in fields:
            fields[name] = b64decode(fields[name])
    kind: Literal["finding", "rejection"] = "rejection" if "code" in fields else "finding"
    if "marks" in fields:
        fields["marks"] = tuple(fields["marks"])
    return OutcomeRecord(kind=kind, **fields, results=results, decided_at=datetime.now(UTC))


def _log_outcome(job: Job, reply: Reply) -> None:
    """Tell of an outcome without patient data."""
    facts = {"job": job.id, "seconds": round(reply.outcome["seconds"], 3)}
    if "code" in reply.outcome:
        _LOG.info("rejected", extra={**facts, "code": reply.outcome["code"]})
    else:
        _LOG.info("judged", extra={**facts, "flagged": reply.outcome["flagged"]})
    if reply.note:
        _LOG.warning("note", extra={"job": job.id, "reason": reply.note})
