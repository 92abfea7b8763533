"""The quality page's figures over HTTP, from what stands in the ledger."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, update

from lungflag.package import REFERENCE, ModelPackage, find_package
from lungflag.service.ledger.schema import readings
from tests.station.desk import desk_settings, open_desk
from tests.station.quality.seeded import fill

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from tests.station.desk import Desk


def ask(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/quality", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_nothing_judged_is_no_error(desk: Desk) -> None:
    found = ask(desk.person())
    assert (found["n_images"], found["alarms"], found["agreement"]) == (0, [], [])
    assert found["accuracy"]["sensitivity"]["value"] is None
    assert found["drift"]["score"]["level"] == "unknown"
    assert found["turnaround"]["p50"] is None


def test_a_month_without_drift_rings_no_alarm(desk: Desk) -> None:
    fill(desk.ledger.database, 400, wrong=0.0)
    found = ask(desk.person())
    assert found["n_images"] == 400
    assert found["alarms"] == []
    assert found["drift"]["score"]["level"] == "stable"
    assert found["drift"]["embedding"]["p_value"] > 0.005
    assert found["turnaround"]["p50"] < found["turnaround"]["p95"]
    assert sum(one["n"] for one in found["rejections"]) == found["n_rejected"] > 0
    assert sum(one["n"] for one in found["sites"]) == 400
    assert len(found["turnaround"]["per_day"]) >= 28


def test_a_shift_rings_them_all(desk: Desk) -> None:
    fill(desk.ledger.database, 300, shift=1.5)
    rung = {one["what"] for one in ask(desk.person())["alarms"]}
    assert {"score", "input", "embedding"} <= rung


def test_many_disagreements_ring(desk: Desk) -> None:
    fill(desk.ledger.database, 300, wrong=0.5, read=1.0)
    rung = {one["what"] for one in ask(desk.person())["alarms"]}
    assert {"sensitivity", "specificity"} & rung


def test_a_site_and_a_device_can_be_chosen(desk: Desk) -> None:
    fill(desk.ledger.database, 120)
    client = desk.person()
    every = ask(client)
    one = ask(client, site="St. Example")
    assert one["n_images"] == next(s["n"] for s in every["sites"] if s["name"] == "St. Example")
    assert one["sites"] == every["sites"]
    unstated = ask(client, site="")
    assert unstated["n_images"] == next(s["n"] for s in every["sites"] if s["name"] == "")
    assert ask(client, device="ACME DR 3000")["n_images"] < every["n_images"]
    assert ask(client, days=1)["n_images"] < every["n_images"]


def test_a_word_and_its_undoing_show_at_once(desk: Desk) -> None:
    fill(desk.ledger.database, 40, read=0.0)
    client, database = desk.person(), desk.ledger.database
    assert ask(client)["n_read"] == 0
    row = {"job_id": 1_000_000, "reader": "ann", "verdict": "disagree",
           "created_at": datetime.now(UTC)}  # fmt: skip
    database.write(lambda connection: connection.execute(insert(readings), row))
    assert ask(client)["n_read"] == 1
    database.write(
        lambda connection: connection.execute(update(readings).values(undone_at=datetime.now(UTC)))
    )
    assert ask(client)["n_read"] == 0


def test_the_last_standing_word_counts(desk: Desk) -> None:
    fill(desk.ledger.database, 40, read=0.0)
    said = ("agree", "unsure", "disagree")
    rows = [{"job_id": 1_000_000, "reader": name, "verdict": name,
             "created_at": datetime.now(UTC)} for name in said]  # fmt: skip
    desk.ledger.database.write(lambda connection: connection.execute(insert(readings), rows))
    (day,) = ask(desk.person())["agreement"]
    assert (day["agree"], day["disagree"], day["unsure"]) == (0, 1, 0)


def test_a_package_without_reference_says_so(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(find_package("phantom"), bare)
    package = ModelPackage.read(bare)
    package.write(bare, graph=package.graph_bytes(), card=package.card())
    assert not (bare / REFERENCE).exists()
    with open_desk(desk_settings(tmp_path / "service", model=str(bare))) as desk:
        fill(desk.ledger.database, 60)
        found = ask(desk.person())
    assert found["n_images"] == 60
    assert found["drift"] is None


def test_the_table_says_the_same_and_runs_nothing(desk: Desk) -> None:
    fill(desk.ledger.database, 80, site="=HYPERLINK(0)")
    answer = desk.machine("studies:read").get("/api/v1/quality.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert ["about", "phantom 1.1.0", "images", "80", "", "", ""] in rows
    assert any(row[1] == "'=HYPERLINK(0)" for row in rows)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


@pytest.mark.parametrize("path", ["/api/v1/quality", "/api/v1/quality.csv"])
def test_it_is_for_those_who_may_see_studies(desk: Desk, path: str) -> None:
    assert desk.client().get(path).status_code == 401
    assert desk.machine("images:write").get(path).status_code == 403
    client = desk.machine("studies:read")
    assert client.get(path, params={"days": 0}).status_code == 422
    assert client.get(path, params={"days": 400}).status_code == 422


def test_no_patient_is_in_it(desk: Desk) -> None:
    fill(desk.ledger.database, 60)
    client = desk.person()
    for path in ("/api/v1/quality", "/api/v1/quality.csv"):
        text = client.get(path).text
        assert "P1000" not in text
        assert "2.25." not in text
        assert "ann" not in text
