"""Node, workers and sender as processes of their own, and a DICOM peer that gets the reports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

from tests.service.orthanc import free_port
from tests.service.receivers import COMPREHENSIVE_3D_SR
from tests.service.toml import inline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.postgres import Postgres

PROGRAM = Path(sys.executable).with_name("lungflag")
COMMANDS = {
    "node": ["node"],
    "worker 1": ["worker"],
    "worker 2": ["worker"],
    "sender": ["deliveries", "send"],
}


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
