"""The station's audit trail: to the schema, committed together, without secrets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from lungflag.errors import LedgerError
from lungflag.service.ledger.schema import audit
from lungflag.station.security.audit import StationAudit
from lungflag.station.security.principal import LOCAL
from tests.service.audit_schema import codes, read_message
from tests.station.desk import PASSWORD, desk_settings

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from lungflag.service.ledger import Ledger
    from tests.station.desk import Desk


def _messages(ledger: Ledger) -> list[Element]:
    with ledger.database.engine.connect() as connection:
        rows = connection.execute(select(audit.c.message).order_by(audit.c.id)).scalars()
        return [read_message(one) for one in rows]


def _kinds(ledger: Ledger) -> list[list[str]]:
    return [codes(one, "EventIdentification/*") for one in _messages(ledger)]


def test_signing_in_and_out_is_noted(desk: Desk) -> None:
    ann = desk.person("ann")
    desk.client().post("/api/v1/session", json={"name": "ann", "password": "a wrong password"})
    desk.client().post("/api/v1/session", json={"name": PASSWORD, "password": "ann"})
    ann.delete("/api/v1/session")
    assert _kinds(desk.ledger) == [["110114", "110122"]] * 3 + [["110114", "110123"]]
    outcomes = [one[0].attrib["EventOutcomeIndicator"] for one in _messages(desk.ledger)]
    assert outcomes == ["0", "4", "4", "0"]
    names = [one[1].attrib["UserID"] for one in _messages(desk.ledger)]
    assert names == ["ann", "ann", "unknown", "ann"]  # a password in the wrong field is not kept


def test_changes_of_accounts_and_keys_are_noted(desk: Desk) -> None:
    root = desk.person("root", "admin")
    root.post("/api/v1/users", json={"name": "bob", "password": PASSWORD})
    root.patch("/api/v1/users/2", json={"disabled": True, "password": PASSWORD + "x"})
    root.post("/api/v1/keys", json={"name": "m", "scopes": ["studies:read"]})
    root.delete("/api/v1/keys/1")
    found = _messages(desk.ledger)[1:]
    assert [codes(one, "EventIdentification/*") for one in found] == [["110113", "110137"]] * 4
    words = [one[0].findtext("EventOutcomeDescription") for one in found]
    assert words == [
        "account made, role reader",
        "account changed: new password, disabled true",
        "key made: studies:read",
        "key revoked",
    ]


def test_a_look_at_a_study_and_a_query_are_noted(ledger: Ledger, tmp_path: Path) -> None:
    trail = StationAudit(desk_settings(tmp_path), ledger)
    trail.accessed(LOCAL, "127.0.0.1", "1.2.3", "ID<&>\n7")
    trail.accessed(LOCAL, "127.0.0.1", "1.2.3", "", "update")
    trail.queried(LOCAL, "testclient", "q=M\udcfcller&limit=50")
    read, change, query = _messages(ledger)
    assert codes(read, "EventIdentification/*") == ["110103"]
    assert [one[0].attrib["EventActionCode"] for one in (read, change, query)] == ["R", "U", "E"]
    study, patient = read.findall("ParticipantObjectIdentification")
    assert study.attrib["ParticipantObjectID"] == "1.2.3"
    assert patient.attrib["ParticipantObjectID"] == "ID<&> 7"
    assert codes(query, "EventIdentification/*") == ["110112"]


def test_messages_of_many_threads_are_all_kept(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "audit.xml"
    trail = StationAudit(desk_settings(tmp_path, audit_file=file), ledger)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: trail.accessed(LOCAL, "127.0.0.1", f"1.2.{n}", ""), range(200)))
    studies = {
        one.attrib["ParticipantObjectID"]
        for message in _messages(ledger)
        for one in message.findall("ParticipantObjectIdentification[1]")
    }
    assert studies == {f"1.2.{n}" for n in range(200)}
    assert len(file.read_text().splitlines()) == 200


def test_what_cannot_be_written_down_does_not_happen(ledger: Ledger, tmp_path: Path) -> None:
    trail = StationAudit(desk_settings(tmp_path), ledger)
    with ledger.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit")
    with pytest.raises(LedgerError):
        trail.accessed(LOCAL, "127.0.0.1", "1.2.3", "")
