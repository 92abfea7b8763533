"""Readings: said, taken back; and the reports that say so, which dcmtk and dciodvfy accept."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import func, select, update

from lungflag.service.ledger.schema import amendments
from lungflag.station.api import readings
from tests.outputs.verifiers import complaints, dumped
from tests.service.waiting import until
from tests.station.api.reading_room import DICOM, judged, phantom, picture

if TYPE_CHECKING:
    import httpx2
    from sqlalchemy import Connection

    from tests.station.api.reading_room import Room


def say(client: httpx2.Client, image: str, verdict: str, comment: str = "") -> dict[str, Any]:
    answer = client.post(f"/images/{image}/readings", json={"verdict": verdict, "comment": comment})
    assert answer.status_code == 201, answer.text
    reading: dict[str, Any] = answer.json()
    return reading


def report(client: httpx2.Client, image: str, revision: int) -> Dataset:
    """Wait for a revision of the report, and check that it is valid."""
    path = f"/images/{image}/report?revision={revision}"
    until(lambda: client.get(path).status_code == 200, what=path)
    found = dcmread(BytesIO(client.get(path).content))
    assert not complaints(found)
    assert found.InstanceNumber == 1 + revision
    return found


def replaced(document: Dataset) -> list[str]:
    return [
        item.ReferencedSOPInstanceUID
        for study in document.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]


def test_a_disagreement_supersedes_the_report_and_so_does_taking_it_back(room: Room) -> None:
    with room.machine() as machine, room.person("dr.novak") as novak:
        image = judged(machine, phantom())["image"]
        first = report(machine, image, 0)
        assert '(233604007,SCT,"Pneumonia")' in dumped(first)
        said = say(novak, image, "disagree", "a <b>skin fold</b>\n=1+1")
        assert (said["reader"], said["verdict"]) == ("dr.novak", "disagree")

        second = report(machine, image, 1)
        assert replaced(second) == [first.SOPInstanceUID]
        assert second.SOPInstanceUID != first.SOPInstanceUID
        assert second.StudyInstanceUID == first.StudyInstanceUID
        assert second.SeriesInstanceUID == first.SeriesInstanceUID
        assert second.CompletionFlagDescription == "A reader disagrees"
        text = dumped(second)
        assert "The reader dr.novak disagrees with this AI result" in text
        assert "skin fold" in text
        assert "(disagrees,99LUNGFLAG" in text
        assert "Finding context" not in text  # neither headline nor mark stay
        assert "Image Region" not in text

        assert novak.delete(f"/readings/{said['id']}").status_code == 204
        assert novak.delete(f"/readings/{said['id']}").status_code == 204
        third = report(machine, image, 2)
        assert replaced(third) == [first.SOPInstanceUID, second.SOPInstanceUID]
        text = dumped(third)
        assert "dr.novak has taken the disagreement with this AI result back" in text
        assert "Image Region" in text
        latest = machine.get(f"/images/{image}/report").content
        assert dcmread(BytesIO(latest)).SOPInstanceUID == third.SOPInstanceUID

        bundle = machine.get(f"/images/{image}/fhir?revision=1").json()
        conclusion = bundle["entry"][2]["resource"]["conclusion"]
        assert conclusion.startswith("The reader dr.novak disagrees with this AI result")
        latest = machine.get(f"/images/{image}/fhir").json()["entry"][2]["resource"]
        assert "has taken the disagreement" in latest["conclusion"]
        assert latest["id"] == bundle["entry"][2]["resource"]["id"]  # in place of the one before
        assert machine.get(f"/images/{image}/overlay").status_code == 200

        detail = machine.get(f"/images/{image}").json()
        revisions = [one["revision"] for one in detail["deliveries"] if one["kind"] == "sr"]
        assert revisions == [0, 1, 2]
        assert detail["reading"] is None
        (kept,) = detail["readings"]
        assert kept["undone_at"] is not None
        assert machine.get(f"/images/{image}/readings").json() == [kept]


def test_the_same_amendment_makes_the_same_bytes(room: Room) -> None:
    database = room.desk.ledger.database

    def again(connection: Connection) -> None:
        due = {"done_at": None, "leased_by": None, "revision": 0, "due_at": database.now()}
        connection.execute(update(amendments).values(**due))

    def amended() -> bool:
        return bool(machine.get(f"/images/{image}").json()["reading"]["amended"] == "done")

    with room.machine() as machine, room.person("ann") as ann:
        image = judged(machine, phantom())["image"]
        say(ann, image, "disagree")
        until(amended, what="the report")
        path = room.desk.context.settings.folder / "results" / "1" / "revision-1" / "report.dcm"
        before = path.read_bytes()
        database.write(again)
        until(amended, what="the report again")
        assert path.read_bytes() == before
        sent = machine.get(f"/images/{image}").json()["deliveries"]
        assert sorted(one["kind"] for one in sent if one["revision"] == 1) == ["fhir", "sr"]


def test_two_readers_and_a_change_of_mind(room: Room) -> None:
    with room.machine() as machine, room.person("ann") as ann, room.person("bob") as bob:
        image = judged(machine, phantom())["image"]
        assert say(bob, image, "agree")["amended"] is None
        say(ann, image, "disagree")
        report(machine, image, 1)
        say(bob, image, "disagree", "effusion")
        both = dumped(report(machine, image, 2))
        assert "The reader ann disagrees" in both
        assert "The reader bob disagrees" in both
        say(ann, image, "unsure")  # which takes the disagreement back
        one = dumped(report(machine, image, 3))
        assert "The reader ann has taken" in one
        assert "The reader bob disagrees" in one
        standing = [
            (said["reader"], said["verdict"])
            for said in machine.get(f"/images/{image}/readings").json()
            if said["undone_at"] is None
        ]
        assert standing == [("bob", "disagree"), ("ann", "unsure")]


def test_what_is_not_judged_yet_cannot_be_disagreed_with(quiet: Room) -> None:
    with quiet.machine() as machine:
        image = machine.post("/images", content=phantom(), headers=DICOM).json()["image"]
        verdict = {"verdict": "disagree"}
        answer = machine.post(f"/images/{image}/readings", json=verdict)
        assert (answer.status_code, answer.json()["title"]) == (409, "Not judged yet")


def test_a_disagreement_that_was_undone_before_anybody_heard_of_it_makes_no_report(
    room: Room,
) -> None:
    database = room.desk.ledger.database

    def at_once(connection: Connection) -> int | None:
        number = readings.add(database, 1, "ann", "disagree", "", connection)
        readings.undo(database, number, connection)
        return connection.scalar(select(func.count()).select_from(amendments))

    with room.machine() as machine:
        judged(machine, phantom())
        assert database.write(at_once) == 0


def test_an_image_files_report_is_superseded_and_goes_nowhere(room: Room) -> None:
    with room.machine() as machine:
        headers = {"Content-Type": "image/png", "Prefer": "wait=30"}
        image = machine.post("/images", content=picture(), headers=headers).json()["image"]
        say(machine, image, "disagree")
        report(machine, image, 1)
        assert machine.get(f"/images/{image}").json()["deliveries"] == []


def test_a_rejection_can_be_disagreed_with(room: Room) -> None:
    with room.machine() as machine:
        image = judged(machine, phantom(2, ViewPosition="LL"))["image"]
        say(machine, image, "disagree", "it is a PA view")
        assert "it is a PA view" in dumped(report(machine, image, 1))


def test_who_may_say_what(room: Room) -> None:
    with room.machine() as machine, room.person("ann") as ann, room.person("bob") as bob:
        image = judged(machine, phantom())["image"]
        reading = say(ann, image, "unsure")["id"]
        assert bob.delete(f"/readings/{reading}").status_code == 403
        with room.person("root", "admin") as root:
            assert root.delete(f"/readings/{reading}").status_code == 204
        assert ann.delete("/readings/999").status_code == 404
        path = f"/images/{image}/readings"
        assert ann.post("/images/1.2.3/readings", json={"verdict": "agree"}).status_code == 404
        for body in ({}, {"verdict": "maybe"}, {"verdict": "agree", "comment": "x" * 2001}):
            assert ann.post(path, json=body).status_code == 422
        del ann.headers["X-CSRF-Token"]
        assert ann.post(path, json={"verdict": "agree"}).status_code == 403
    with room.machine("studies:read", name="looker") as looker:
        assert looker.post(path, json={"verdict": "agree"}).status_code == 403


@pytest.mark.parametrize("path", ["/studies", "/events", "/metrics", "/images/1.2.3/pixels"])
def test_nobody_gets_anything_without_signing_in(quiet: Room, path: str) -> None:
    import httpx2

    assert httpx2.get(f"{quiet.url}{path}", trust_env=False).status_code == 401
