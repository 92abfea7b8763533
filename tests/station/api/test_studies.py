"""The worklist: its order, its filters, its pages, and that it is made once for everybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.service.waiting import until
from tests.station.api.reading_room import DICOM, judged, listed, phantom

if TYPE_CHECKING:
    from tests.station.api.reading_room import Room


def test_order_filters_and_pages(room: Room) -> None:
    with room.machine() as client:
        calm = judged(client, phantom(2, InstitutionName="North", PatientName="Doe^Jane"))
        odd = judged(client, phantom(4, ViewPosition="LL"))
        first = judged(client, phantom(1, AccessionNumber="=A1"))
        second = judged(client, phantom(3))
        page = listed(client, 4)
        assert calm["outcome"]["flagged"] is False
        order = [first["study"], second["study"], calm["study"], odd["study"]]
        urgent = [row["study"] for row in page["items"]]
        assert urgent[:2] == order[:2]
        assert set(urgent[2:]) == set(order[2:])
        assert page["counts"] == {
            "waiting": 0,
            "unread": 4,
            "read": 0,
            "rejected": 1,
            "flagged": 2,
        }

        def of(query: str) -> list[str]:
            return [row["study"] for row in client.get(f"/studies?{query}").json()["items"]]

        assert of("outcome=rejected") == [odd["study"]]
        assert of("outcome=not-flagged") == [calm["study"]]
        assert set(of("outcome=flagged&status=unread")) == {first["study"], second["study"]}
        assert of("q=jane") == of("site=North") == of("q=doe^jane") == [calm["study"]]
        assert of("q=%3DA1") == [first["study"]]
        assert of("since=2100-01-01T00:00:00Z") == []
        assert len(of("since=2000-01-01T00:00:00")) == 4
        seen, cursor = [], ""
        while True:
            part = client.get("/studies", params={"limit": 1, "cursor": cursor}).json()
            seen += [row["study"] for row in part["items"]]
            cursor = part["next"]
            if cursor is None:
                break
        assert seen == urgent
        detail = client.get(f"/studies/{urgent[1]}").json()
        assert detail["neighbours"] == {"previous": urgent[0], "next": urgent[2]}
        assert detail["images"][0]["study"] == urgent[1]

        verdict = {"verdict": "agree"}
        assert client.post(f"/images/{first['image']}/readings", json=verdict).status_code == 201
        read = client.get("/studies").json()
        assert read["items"][-1]["study"] == first["study"]
        assert read["items"][-1]["status"] == "read"
        assert read["counts"]["read"] == 1


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "WzEsMiwzLDRd", "é"])
def test_a_cursor_that_was_not_made_here(quiet: Room, cursor: str) -> None:
    with quiet.machine() as client:
        assert client.get("/studies", params={"cursor": cursor}).status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "status=x", "outcome=y", "since=z"])
def test_filters_that_make_no_sense(quiet: Room, query: str) -> None:
    with quiet.machine() as client:
        assert client.get(f"/studies?{query}").status_code == 422


def test_an_unchanged_worklist_is_not_sent_again(quiet: Room) -> None:
    with quiet.machine() as client:
        first = client.get("/studies")
        tag = {"If-None-Match": first.headers["ETag"]}
        assert client.get("/studies", headers=tag).status_code == 304
        client.post("/images", content=phantom(), headers=DICOM)
        until(lambda: client.get("/studies", headers=tag).status_code == 200, what="a change")


def test_many_readers_cost_one_computation(quiet: Room) -> None:
    content = quiet.desk.app.state.content
    with quiet.machine() as client:
        client.post("/images", content=phantom(), headers=DICOM)
        until(lambda: len(client.get("/studies").json()["items"]) == 1, what="the study")
        with ThreadPoolExecutor(20) as pool:
            bodies = list(pool.map(lambda _: client.get("/studies?limit=7").content, range(100)))
    assert len(set(bodies)) == 1
    pages = content._parts.worklist.now.pages
    assert len([filters for filters in pages if filters.limit == 7]) == 1


def test_changes_are_told_as_they_come(quiet: Room) -> None:
    with (
        quiet.machine() as client,
        client.stream("GET", "/events") as events,
    ):
        assert events.headers["Content-Type"].startswith("text/event-stream")
        lines = events.iter_lines()
        told = [next(lines) for _ in range(3)]
        assert told[0] == "event: change"
        assert told[1].startswith('data: {"version":')
        with httpx2.Client(base_url=quiet.url, headers=client.headers, trust_env=False) as other:
            other.post("/images", content=phantom(), headers=DICOM)
        again = next(line for line in lines if line.startswith("data:"))
        assert again != told[1]


def test_a_study_that_is_not_there(quiet: Room) -> None:
    with quiet.machine() as client:
        answer = client.get("/studies/1.2.3")
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such study")


def test_metrics_need_their_own_scope(quiet: Room) -> None:
    with quiet.machine("metrics:read") as client:
        assert "lungflag_received" in client.get("/metrics").text
        assert client.get("/studies").status_code == 403
