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
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from sqlalchemy import create_engine, text

from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.ledger import Ledger
from tests.service.orthanc import free_port
from tests.service.postgres import running_postgres
from tests.service.processes import children
from tests.service.receivers import COMPREHENSIVE_3D_SR
from tests.service.toml import inline
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.service.postgres import Postgres

PROGRAM = Path(sys.executable).with_name("lungflag")
COMMANDS = {
    "node": ["node"],
    "worker 1": ["worker"],
    "worker 2": ["worker"],
    "sender": ["deliveries", "send"],
}
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


class Target:
    """A DICOM peer that notes whose reports come, and whether they stay the same."""

    def __init__(self) -> None:
        self.port = 0
        self.came: Counter[str] = Counter()
        self.versions: defaultdict[str, set[str]] = defaultdict(set)
        self.of: defaultdict[str, set[str]] = defaultdict(set)

    def store(self, event: evt.Event) -> int:
        """Take a report."""
        report, uid = event.dataset, str(event.dataset.SOPInstanceUID)
        self.came[uid] += 1
        self.versions[uid].add(sha256(event.encoded_dataset()).hexdigest())
        self.of[image_of(report)].add(uid)
        return 0x0000


@contextmanager
def running_target() -> Iterator[Target]:
    target, entity = Target(), AE("ARCHIVE")
    entity.add_supported_context(COMPREHENSIVE_3D_SR, ExplicitVRLittleEndian)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, target.store)]
    )
    assert server is not None
    target.port = server.server_address[1]
    try:
        yield target
    finally:
        server.shutdown()


def image_of(report: Dataset) -> str:
    """Return the SOP Instance UID of the image that a report is on."""
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    return str(study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


class Service:
    """Node, two workers and sender as processes of their own."""

    def __init__(self, folder: Path, target: Target, postgres: Postgres | None) -> None:
        self.folder, self.port, self.postgres = folder, free_port(), postgres
        self.out = folder / "out"
        self.database = (
            postgres.new_url() if postgres else f"sqlite:///{folder / 'service' / 'ledger.db'}"
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        targets = [
            {"name": "pacs", "kind": "dicom", "address": f"ARCHIVE@127.0.0.1:{target.port}"},
            {"name": "disk", "kind": "files", "address": str(self.out)},
        ]
        self._environment = {
            **os.environ,
            "LUNGFLAG_FOLDER": str(folder / "service"),
            "LUNGFLAG_DATABASE": self.database,
            "LUNGFLAG_MODEL": "phantom",
            "LUNGFLAG_PORT": str(self.port),
            "LUNGFLAG_HTTP_PORT": "0",
            "LUNGFLAG_KEEP_FREE_MIB": "0",
            "LUNGFLAG_WORKERS": "2",
            "LUNGFLAG_TIMEOUT_SECONDS": "5",
            "LUNGFLAG_LEASE_SECONDS": "6",
            "LUNGFLAG_ATTEMPTS": "20",
            "LUNGFLAG_TARGETS": inline([{**one, "send": ["sr"]} for one in targets]),
        }
        self._log = (folder / "log").open("ab")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all parts; at the end, stop them."""
        with ExitStack() as stack:
            stack.callback(self._log.close)
            for name in COMMANDS:
                self.start(name)
                stack.callback(self.kill, name)
            yield

    def start(self, name: str) -> None:
        """Start a part."""
        self.processes[name] = subprocess.Popen(
            [str(PROGRAM), *COMMANDS[name]],
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )

    def kill(self, name: str) -> None:
        """Kill a part."""
        self.processes[name].kill()
        self.processes[name].wait()

    def revive(self) -> None:
        """Start again whatever has ended, as a supervisor would."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.start(name)


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
        self._entity = AE("MODALITY")
        self._entity.acse_timeout = self._entity.dimse_timeout = 20
        self._entity.network_timeout = self._entity.connection_timeout = 20

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
    wrong = 0
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres()) if asked.postgresql else None
        for seed in range(1, asked.seeds + 1):
            folder = Path(tempfile.mkdtemp(prefix="lungflag-crash-"))
            result = run(folder, seed, asked.films, every=80, postgres=postgres)
            print(json.dumps(asdict(result)), flush=True)  # noqa: T201
            wrong += result.lost + result.doubled
            shutil.rmtree(folder)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
