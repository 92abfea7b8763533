"""The crash test: a sender pushes films while every process is killed at random moments.

``python -m tests.service.crash --seeds 5 --films 500 [--postgresql]`` prints a line of figures a
seed; `run` is what the tests call.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import create_engine, text

from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.ledger import Ledger
from lungflag.service.requestor import Requestor
from tests.service.fleet import COMMANDS, Service, Target, image_of, running_target
from tests.service.postgres import running_postgres
from tests.service.processes import children
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.service.postgres import Postgres

BODIES = 6
"""Different phantoms; films beyond them differ in their identifiers."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of one run.

    Attributes
    ----------
    seed, films : int
        What was asked for.
    sent : int
        C-STORE requests, repeats counted.
    acknowledged : int
        Films for which one of them succeeded.
    kills : dict[str, int]
        What was killed how often.
    outcomes, deliveries : int
        In the ledger; of the deliveries those that are done.
    findings : int
        Outcomes that are no rejections.
    arrived, files : int
        Reports at the DICOM target and in the folder, each counted once.
    repeated : int
        Reports that came to the DICOM target again, with the same identifier and content.
    lost : int
        Acknowledged films without an outcome, or whose report is missing at a target.
    doubled : int
        Films with two outcomes, or two different reports at a target.
    seconds : float
        How long it took.
    """

    seed: int
    films: int
    sent: int
    acknowledged: int
    kills: dict[str, int]
    outcomes: int
    findings: int
    deliveries: int
    arrived: int
    files: int
    repeated: int
    lost: int
    doubled: int
    seconds: float


def run(
    folder: Path,
    seed: int,
    films: int,
    *,
    every: int,
    postgres: Postgres | None = None,
) -> Tally:
    """Run the crash test once.

    Parameters
    ----------
    folder : Path
        An empty folder.
    seed : int
        Chooses who is killed, and when.
    films : int
        How many are sent.
    every : int
        Most steps between two kills: films acknowledged, judged, and delivered to a target.
    postgres : Postgres, optional
        The server to keep the ledger on, which is killed too; SQLite if not given.
    """
    started = time.monotonic()
    with running_target() as target:
        service = Service(folder, target, postgres)
        sender = Sender(service.port, films, seed)
        with (
            Ledger.open(service.database, create=True, away_seconds=120) as ledger,
            service.running(),
        ):
            killer = Killer(service, seed, every, lambda: progress(sender, ledger))
            sender.start()
            with killer.at_work():
                until(lambda: sender.done, seconds=120 + 5 * films, what="acknowledgements")
                busy = 0.8 * films
                until(lambda: ledger.queue().jobs_done >= busy, seconds=120 + 5 * films)
            until(lambda: settled(ledger, films), seconds=120 + films, what="deliveries")
        return tally(service, sender, killer, target, time.monotonic() - started)


def progress(sender: Sender, ledger: Ledger) -> int:
    """Return how many steps have been done."""
    queue = ledger.queue()
    return len(sender.acknowledged) + queue.jobs_done + queue.deliveries_done


def settled(ledger: Ledger, films: int) -> bool:
    """Return whether every film is judged and every delivery has ended."""
    queue = ledger.queue()
    return queue.jobs_done >= films and not queue.deliveries_waiting + queue.deliveries_leased


class Killer(Thread):
    """Kills one part after the other, and starts it again.

    It waits for progress and not for time, so that a slow machine gets on too; then for a moment
    more. One time in four it strikes again while what it killed is starting.
    """

    def __init__(
        self, service: Service, seed: int, every: int, progress: Callable[[], int]
    ) -> None:
        super().__init__(name="killer")
        self.kills: Counter[str] = Counter()
        self.seed = seed
        self._service, self._random = service, Random(seed)
        self._every, self._progress = every, progress
        self._left: list[str] = []
        self._enough = Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kill, until `stop` or the end of the block."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Kill nobody any more."""
        self._enough.set()
        self.join()

    def run(self) -> None:
        reached = 0
        while not self._enough.is_set():
            reached += self._random.randint(1, self._every)
            while self._progress() < reached and not self._enough.wait(0.05):
                self._service.revive()
            again = True
            while again and not self._enough.wait(self._random.uniform(0, 0.3)):
                victim = self._next_victim()
                self._kill(victim)
                self.kills[victim] += 1
                self._service.revive()
                again = self._random.random() < 0.25
            reached = self._progress()
        self._service.revive()

    def _next_victim(self) -> str:
        """Return each in turn, in an order that chance shuffles anew each time round."""
        if not self._left:
            self._left = [*COMMANDS, "child", "all"]
            if self._service.postgres is not None:
                self._left.append("database")
            self._random.shuffle(self._left)
        return self._left.pop()

    def _kill(self, victim: str) -> None:
        if victim == "database":
            assert self._service.postgres is not None
            self._service.postgres.kill()
            self._service.postgres.start()
        elif victim == "child":
            for name in ("worker 1", "worker 2"):
                for child in children(self._service.processes[name].pid):
                    with suppress(ProcessLookupError):  # it died with its parent
                        os.kill(child, signal.SIGKILL)
        else:
            for name in COMMANDS if victim == "all" else [victim]:
                self._service.kill(name)


class Sender(Thread):
    """A modality: it sends each film until it is told that it was stored."""

    def __init__(self, port: int, films: int, seed: int) -> None:
        super().__init__(name="modality", daemon=True)
        self.acknowledged: set[str] = set()
        self.sent = 0
        self.done = False
        self.films, self._port, self._random = films, port, Random(seed)
        self._entity = Requestor("MODALITY", connect_seconds=20, answer_seconds=20)

    def run(self) -> None:
        bodies = [
            to_dicom(make_phantom(seed, pneumonia=bool(seed % 2), size=160))
            for seed in range(BODIES)
        ]
        self._entity.add_requested_context(bodies[0].SOPClassUID, ExplicitVRLittleEndian)
        association: Any = None
        for number in range(self.films):
            film = bodies[number % BODIES]
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                setattr(film, keyword, generate_uid())
            film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
            while film.SOPInstanceUID not in self.acknowledged:
                association = self._send(film, association)
            if self._random.random() < 0.1:
                association.release()
        if association.is_established:
            association.release()
        self.done = True

    def _send(self, film: Dataset, association: Any) -> Any:
        if association is None or not association.is_established:
            association = self._entity.associate("127.0.0.1", self._port, ae_title="LUNGFLAG")
        if not association.is_established:
            time.sleep(0.1)  # the node is away; a modality tries again
            return association
        self.sent += 1
        status = association.send_c_store(film)
        if status and status.Status == 0x0000:
            self.acknowledged.add(str(film.SOPInstanceUID))
        return association


def tally(
    service: Service, sender: Sender, killer: Killer, target: Target, seconds: float
) -> Tally:
    """Compare what was acknowledged with what the ledger and both targets have."""
    engine = create_engine(service.database)
    with engine.connect() as connection:
        outcomes = Counter(
            connection.scalars(
                text("SELECT sop_instance_uid FROM outcomes JOIN jobs ON jobs.id = job_id")
            )
        )
        findings = connection.scalar(text("SELECT count(*) FROM outcomes WHERE kind = 'finding'"))
        delivered = connection.scalar(
            text("SELECT count(*) FROM deliveries WHERE done_at IS NOT NULL")
        )
    engine.dispose()
    on_disk: defaultdict[str, set[str]] = defaultdict(set)
    for path in service.out.rglob("*.dcm"):
        report = dcmread(path)
        on_disk[image_of(report)].add(str(report.SOPInstanceUID))
    places: tuple[Callable[[str], int], ...] = (
        lambda uid: outcomes[uid],
        lambda uid: len(target.of[uid]),
        lambda uid: len(on_disk[uid]),
        # An answer that was not heard of makes the sender send again: the same, or it is doubled.
        lambda uid: max((len(target.versions[one]) for one in target.of[uid]), default=0),
    )
    return Tally(
        seed=killer.seed,
        films=sender.films,
        sent=sender.sent,
        acknowledged=len(sender.acknowledged),
        kills=dict(sorted(killer.kills.items())),
        outcomes=sum(outcomes.values()),
        findings=int(findings or 0),
        deliveries=int(delivered or 0),
        arrived=len(target.came),
        files=sum(map(len, on_disk.values())),
        repeated=sum(target.came.values()) - len(target.came),
        lost=sum(any(place(uid) == 0 for place in places) for uid in sender.acknowledged),
        doubled=sum(any(place(uid) > 1 for place in places) for uid in sender.acknowledged),
        seconds=round(seconds, 1),
    )


def main() -> int:
    """Run several seeds; exit with 1 where anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--films", type=int, default=500)
    parser.add_argument("--postgresql", action="store_true")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and nobody stays behind
    wrong = 0
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres()) if asked.postgresql else None
        for seed in range(1, asked.seeds + 1):
            folder = Path(tempfile.mkdtemp(prefix="lungflag-crash-"))
            result = run(folder, seed, asked.films, every=120, postgres=postgres)
            print(json.dumps(asdict(result)), flush=True)  # noqa: T201
            wrong += result.lost + result.doubled
            shutil.rmtree(folder)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
