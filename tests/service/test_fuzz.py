"""Mutated objects through the node and through STOW-RS: each is taken in or refused, and counted.

`make proof` sends 2,000 through each door, `make test` 100; ``--log-cli-level=info`` shows figures.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from hypothesis import settings as profile
from pydicom import Dataset
from pynetdicom import AE

from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from tests.service.mutants import DX, make_mutant
from tests.service.programs import Program, running
from tests.service.test_dicomweb import RELATED, body
from tests.service.waiting import until
from tests.service.wire import send_octets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.association import Association

ROOM_MIB = 64
GROWTH_MIB = 256
"""What the process may need beyond what it has when it starts: the room, and what it parses."""

_LOG = logging.getLogger(__name__)

REFUSALS = {0x0122, 0xA900, 0xC000, 0xC001}  # not 0x0110: nothing may be unforeseen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def door(folder: Path) -> Iterator[tuple[Program, int, int]]:
    with running(
        "node",
        folder=folder,
        model="phantom",
        port=0,
        http_port=0,
        keep_free_mib=0,
        receive_mib=ROOM_MIB,
    ) as program:
        dicom = program.port(r"C-STORE on LUNGFLAG@127\.0\.0\.1:(\d+)")
        yield program, dicom, program.port(r"STOW-RS on http://127\.0\.0\.1:(\d+)/studies")
        assert program.stop() == 0


def peak_mib(program: Program) -> float:
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(peak) / 1024


def threads(program: Program) -> int:
    return len(list(Path(f"/proc/{program.process.pid}/task").iterdir()))


def kept(folder: Path) -> set[str]:
    """Return what is in the ledger with a job, and its file on the disk."""
    with sqlite3.connect(folder / "ledger.db") as ledger:
        rows = ledger.execute(
            "SELECT sop_instance_uid, path FROM instances JOIN jobs USING (sop_instance_uid)"
        )
        found = dict(rows.fetchall())
    assert all((folder / path).is_file() for path in found.values())
    return set(found)


def counted(web: httpx2.Client, via: str) -> int:
    text = web.get("/metrics").text
    counts = re.findall(rf'lungflag_refused_total{{code="[^"]*",via="{via}"}} (\S+)', text)
    return int(sum(map(float, counts)))


def associate(port: int) -> Association:
    entity = AE("MODALITY")
    entity.dimse_timeout = entity.network_timeout = 30
    for syntax in TRANSFER_SYNTAXES:
        entity.add_requested_context(DX, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="LUNGFLAG")
    assert association.is_established
    return association


@pytest.mark.slow
def test_mutated_objects_are_taken_in_or_refused(folder: Path) -> None:
    number, taken = profile().max_examples, set()
    statuses: Counter[str] = Counter()
    with (
        door(folder) as (program, dicom, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as web,
    ):
        web.get("/ready").raise_for_status()
        before, idle = peak_mib(program), threads(program)
        refused = Counter({"dimse": 0, "stow": 0})
        association = associate(dicom)
        for seed in range(0, 2 * number, 2):
            mutant = make_mutant(seed)
            status = send_octets(
                association,
                mutant.body or b"\0",
                context=DX,
                syntax=mutant.syntax,
                sop_instance=mutant.sop_instance,
            )
            statuses[f"C-STORE {status:#06x}"] += 1
            if status == 0x0000:
                taken.add(mutant.sop_instance)
            else:
                assert status in REFUSALS, mutant.how
                refused["dimse"] += 1
        association.release()
        for seed in range(1, 2 * number, 2):
            mutant = make_mutant(seed)
            sent = body(mutant.head + mutant.body)
            response = web.post("/studies", content=sent, headers={"content-type": RELATED})
            statuses[f"STOW {response.status_code}"] += 1
            said = Dataset.from_json(response.json())
            if response.status_code == 200:
                taken.update(one.ReferencedSOPInstanceUID for one in said.ReferencedSOPSequence)
            else:
                assert response.status_code == 409, mutant.how
                failed = [
                    *said.get("FailedSOPSequence", []),
                    *said.get("OtherFailuresSequence", []),
                ]
                assert [one.FailureReason in REFUSALS for one in failed] == [True], mutant.how
                refused["stow"] += 1
        assert web.get("/ready").status_code == 200
        assert {via: counted(web, via) for via in refused} == dict(refused)
        until(lambda: threads(program) <= idle + 42, what="threads of connections end")
        growth = peak_mib(program) - before
    assert kept(folder) == taken
    assert growth < GROWTH_MIB
    statuses["taken in"], statuses["peak MiB"] = len(taken), round(before + growth)
    _LOG.info("%d objects: %s, growth %.0f MiB", 2 * number, dict(sorted(statuses.items())), growth)
