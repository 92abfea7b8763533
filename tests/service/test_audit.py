from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from lungflag.service.audit import ALERTS_A_MINUTE, Audit
from lungflag.service.ledger import Ledger
from lungflag.service.target import read_targets
from tests.service.audit_schema import codes, detail, read_message
from tests.service.rows import (
    OURS,
    PACKAGE,
    VERSION,
    make_deliveries,
    make_finding,
    make_instance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.settings import Settings

(PACS,) = read_targets([{"name": "pacs", "kind": "dicom", "address": "ORTHANC@192.0.2.9:4242"}])
ROLES = "ActiveParticipant/RoleIDCode"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.xml"


@pytest.fixture
def kept(ledger: Ledger, settings: Settings, file: Path) -> Audit:
    """Return an audit trail in a ledger and a file."""
    return Audit(replace(settings, audit_file=file), ledger, "node")


@pytest.fixture
def in_ledger(database_url: str) -> Iterator[list[str]]:
    """Return the ledger's messages, read when they are looked at."""
    engine = create_engine(database_url)

    class Messages(list[str]):
        def __iter__(self) -> Iterator[str]:
            with engine.connect() as connection:
                rows = connection.execute(text("SELECT message FROM audit ORDER BY id"))
                return iter([row[0] for row in rows])

    yield Messages()
    engine.dispose()


def test_start_and_stop(kept: Audit, in_ledger: list[str], file: Path) -> None:
    with kept.running():
        assert len(list(in_ledger)) == 1
    start, stop = map(read_message, in_ledger)
    assert file.read_text().splitlines() == list(in_ledger)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert codes(start, "EventIdentification/*") == ["110100", "110120"]
    assert codes(stop, "EventIdentification/*") == ["110100", "110121"]
    assert codes(start, ROLES) == ["110150"]
    (who,) = start.findall("ActiveParticipant")
    assert who.attrib["AlternativeUserID"] == "AETITLES=LUNGFLAG"
    assert who.attrib["UserName"] == "lungflag node"


def test_what_came_in_is_kept_with_it_once(
    kept: Audit, ledger: Ledger, in_ledger: list[str], file: Path
) -> None:
    instance = make_instance(1)
    for _ in range(2):
        ledger.receive(instance, **OURS, priority="LOW", audit=kept.received(instance))
    (message,) = map(read_message, in_ledger)
    assert not file.exists()  # the caller's, after the commit
    assert codes(message, "EventIdentification/*") == ["110104"]
    assert message[0].attrib["EventActionCode"] == "C"
    sender, receiver = message.findall("ActiveParticipant")
    assert codes(message, ROLES) == ["110153", "110152"]
    assert sender.attrib["UserID"] == "XRAY1@192.0.2.7"
    assert sender.attrib["AlternativeUserID"] == "AETITLES=XRAY1"
    assert sender.attrib["NetworkAccessPointID"] == "192.0.2.7"
    assert sender.attrib["NetworkAccessPointTypeCode"] == "2"
    assert (sender.attrib["UserIsRequestor"], receiver.attrib["UserIsRequestor"]) == (
        "true", "false"
    )  # fmt: skip
    study, patient = message.findall("ParticipantObjectIdentification")
    assert study.attrib["ParticipantObjectID"] == "1.2.2.1"
    assert study[2][0].attrib == {"Number": "A1"}
    assert study[2][1].attrib["UID"] == instance.sop_class_uid
    assert study[2][1][0].attrib == {"UID": "1.2.3.1"}
    assert patient.attrib["ParticipantObjectID"] == "ID1"
    assert patient[1].text == "Müller^Zoë=山田^太郎"


def test_what_came_again_with_other_content(kept: Audit, in_ledger: list[str]) -> None:
    kept.differing(make_instance(1))
    (message,) = map(read_message, in_ledger)
    assert message[0].attrib["EventActionCode"] == "R"
    assert message[0].attrib["EventOutcomeIndicator"] == "4"
    assert "differs" in (message[0][1].text or "")


def test_a_result_that_arrived(kept: Audit, ledger: Ledger, in_ledger: list[str]) -> None:
    ledger.receive(make_instance(1), **OURS, priority="LOW")
    (job,) = ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    ledger.complete(job, make_finding(), make_deliveries(job.id, "pacs"))
    first, second = ledger.lease_deliveries("s", "pacs", 5, 60)
    message = kept.sent(first, PACS, ledger.instance("1.2.3.1"))
    ledger.delivered(first, audit=message)
    ledger.delivered(first, audit=message)
    ledger.delivered(second)
    (root,) = map(read_message, in_ledger)
    assert codes(root, ROLES) == ["110153", "110152"]
    us, them = root.findall("ActiveParticipant")
    assert us.attrib["UserIsRequestor"] == "true"
    assert them.attrib["AlternativeUserID"] == "AETITLES=ORTHANC"
    assert them.attrib["NetworkAccessPointID"] == "192.0.2.9"
    (kind,) = root.findall(".//SOPClass")
    assert kind.attrib["UID"] == "1.2.840.10008.5.1.4.1.1.88.34"
    assert kind[0].attrib["UID"] == first.uid


def test_pixels_that_went(kept: Audit, ledger: Ledger, in_ledger: list[str]) -> None:
    instance = make_instance(1, accession_number="", patient_id="", patient_name="")
    ledger.receive(instance, **OURS, priority="LOW")
    assert not ledger.expired("1.2.3.1", audit=kept.deleted(instance))
    (job,) = ledger.lease_jobs("w", PACKAGE, VERSION, 1, 60)
    ledger.complete(job, make_finding(), [])
    assert list(in_ledger) == []
    assert ledger.expired("1.2.3.1", audit=kept.deleted(instance))
    (root,) = map(read_message, in_ledger)
    assert codes(root, "EventIdentification/*")[0] == "110103"
    assert root[0].attrib["EventActionCode"] == "D"
    assert root.findall("*[@ParticipantObjectDataLifeCycle='15']")


def test_who_was_not_let_in(kept: Audit, in_ledger: list[str]) -> None:
    kept.refused("EVIL<&>@198.51.100.3", "its AE title is \x00 not\nallowed")
    kept.refused("2001:db8::1", "no certificate")
    first, second = map(read_message, in_ledger)
    assert codes(first, "EventIdentification/*") == ["110113", "110126"]
    assert detail(first) == "its AE title is   not allowed"
    assert first.findall(".//*[@ParticipantObjectID='198.51.100.3']")
    assert second.findall(".//*[@NetworkAccessPointID='2001:db8::1']")


def test_whoever_knocks_all_day_does_not_fill_the_disk(kept: Audit, file: Path) -> None:
    for _ in range(3 * ALERTS_A_MINUTE):
        kept.refused("EVIL@198.51.100.3", "no")
    assert len(file.read_text().splitlines()) == ALERTS_A_MINUTE


def test_a_file_that_cannot_be_written_stops_nothing(
    ledger: Ledger, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audit = Audit(replace(settings, audit_file=tmp_path / "no" / "folder"), ledger, "node")
    with audit.running():
        ledger.close()
    assert "the audit file cannot be written" in caplog.text
