"""Storage commitment, asked by Orthanc and by pynetdicom."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from queue import Queue
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydicom import Dataset, uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from lungflag.service.storage_commitment import StorageCommitment
from tests.radiograph.objects import content, dx
from tests.service.doors import Door, open_door, running_node
from tests.service.films import phantom_pixels
from tests.service.orthanc import free_port, running_orthanc
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.node import Node
    from lungflag.service.settings import Settings

DX = uid.DigitalXRayImageStorageForPresentation


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened


@contextmanager
def committing(door: Door, **peers: int) -> Iterator[Node]:
    """Run a node that reports to peers, by AE title and port."""
    commitment = StorageCommitment(
        door.ledger,
        door.package,
        door.settings.folder,
        ae_title=door.settings.ae_title,
        peers={title: ("127.0.0.1", port) for title, port in peers.items()},
        pause=0.1,
    )
    commitment.start()
    try:
        with running_node(door, commitment=commitment) as node:
            yield node
    finally:
        commitment.stop()


@contextmanager
def listening(answer: int = 0x0000) -> Iterator[tuple[int, Queue[tuple[int, Dataset]]]]:
    """Listen for reports; give the port, and a queue of event type and information."""
    reports: Queue[tuple[int, Dataset]] = Queue()

    def report(event: evt.Event) -> tuple[int, None]:
        reports.put((event.event_type or 0, event.event_information))
        return answer, None

    entity = AE("MODALITY")
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)]
    )
    assert server is not None
    try:
        yield server.server_address[1], reports
    finally:
        server.shutdown()


def ask(
    node: Node,
    *references: tuple[str, str],
    title: str = "MODALITY",
    transaction: str = "1.2.3",
    instance: str = StorageCommitmentPushModelInstance,
    action: int = 1,
) -> int:
    """Request storage commitment of instances by SOP class and instance; return the status."""
    wanted = Dataset()
    wanted.TransactionUID = transaction
    wanted.ReferencedSOPSequence = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        wanted.ReferencedSOPSequence.append(item)
    entity = AE(title)
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate("127.0.0.1", node.port, ae_title="LUNGFLAG")
    status, _ = association.send_n_action(wanted, action, StorageCommitmentPushModel, instance)
    association.release()
    return int(status.Status)


def take_in(door: Door, **attributes: Any) -> str:
    ds = dx(phantom_pixels(size=64), 12, **attributes)
    return door.intake.accept(content(ds), via="dimse", peer="test").sop_instance_uid


def pairs(report: Dataset, keyword: str) -> list[tuple[str, ...]]:
    return [tuple(str(element.value) for element in item) for item in report.get(keyword) or []]


def test_what_is_stored_is_committed(door: Door) -> None:
    first, second = take_in(door), take_in(door)
    with listening() as (port, reports), committing(door, MODALITY=port) as node:
        assert ask(node, (DX, first), (DX, second)) == 0x0000
        kind, report = reports.get(timeout=30)
    assert kind == 1
    assert report.TransactionUID == "1.2.3"
    assert pairs(report, "ReferencedSOPSequence") == [(DX, first), (DX, second)]
    assert "FailedSOPSequence" not in report


def test_what_is_not_there_is_named_with_the_reason(door: Door) -> None:
    kept, lost = take_in(door), take_in(door)
    door.stored(lost).unlink()
    with listening() as (port, reports), committing(door, MODALITY=port) as node:
        cr, ct = uid.ComputedRadiographyImageStorage, uid.CTImageStorage
        asked = [(DX, kept), (DX, "1.2.9"), (DX, lost), (cr, kept), (ct, kept)]
        assert ask(node, *asked) == 0x0000
        kind, report = reports.get(timeout=30)
    assert kind == 2
    assert pairs(report, "ReferencedSOPSequence") == [(DX, kept)]
    assert pairs(report, "FailedSOPSequence") == [
        (DX, "1.2.9", str(0x0112)),
        (DX, lost, str(0x0112)),
        (cr, kept, str(0x0119)),
        (ct, kept, str(0x0122)),
    ]


def test_requests_that_make_no_sense_are_refused(door: Door) -> None:
    with committing(door, MODALITY=1) as node:
        assert ask(node, (DX, "1.2"), title="STRANGER") == 0x0124
        assert ask(node) == 0x0115
        assert ask(node, (DX, "1.2"), transaction="") == 0x0115
        assert ask(node, (DX, "1.2"), action=2) == 0x0123
        assert ask(node, (DX, "1.2"), instance="1.2.3") == 0x0112


def test_a_report_that_is_not_taken_is_sent_again_and_given_up(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(answer=0x0110) as (port, reports), committing(door, MODALITY=port) as node:
        assert ask(node, (DX, "1.2")) == 0x0000
        for _ in range(3):
            reports.get(timeout=30)
        until(lambda: "did not reach MODALITY" in caplog.text)
        assert reports.empty()


def test_a_sender_that_is_away_leaves_no_socket_open(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(door, MODALITY=free_port()) as node:
        assert ask(node, (DX, "1.2")) == 0x0000
        until(lambda: "did not reach MODALITY" in caplog.text)
    gc.collect()  # a socket that nobody closed would be told of here


def test_without_it_the_class_is_not_offered(door: Door) -> None:
    entity = AE("MODALITY")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_requested_context(DX)
    with running_node(door) as node:
        association = entity.associate("127.0.0.1", node.port, ae_title="LUNGFLAG")
        assert [one.abstract_syntax for one in association.accepted_contexts] == [DX]
        association.release()


@pytest.mark.slow
def test_orthanc_stores_and_asks(door: Door, tmp_path: Path) -> None:
    with (
        running_orthanc(tmp_path / "orthanc") as orthanc,
        committing(door, ORTHANC=orthanc.port) as node,
        httpx2.Client(base_url=orthanc.url, trust_env=False) as web,
    ):
        modality = {
            "AET": "LUNGFLAG",
            "Host": "127.0.0.1",
            "Port": node.port,
            "AllowStorageCommitment": True,
        }
        web.put("/modalities/lungflag", json=modality).raise_for_status()
        ds = dx(phantom_pixels(size=64), 12)
        made = web.post("/instances", content=content(ds)).raise_for_status().json()
        order = {"Resources": [made["ID"]], "StorageCommitment": True, "Synchronous": True}
        done = web.post("/modalities/lungflag/store", json=order).raise_for_status().json()
        assert door.knows(ds.SOPInstanceUID)
        path = f"/storage-commitment/{done['StorageCommitmentTransactionUID']}"
        until(lambda: web.get(path).json()["Status"] != "Pending")
        outcome = web.get(path).json()
    assert outcome["Status"] == "Success", outcome
    assert [one["SOPInstanceUID"] for one in outcome["Success"]] == [ds.SOPInstanceUID]
