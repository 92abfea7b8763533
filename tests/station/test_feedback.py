"""`lungflag feedback export`: a manifest that the workbench reads, and no spreadsheet runs."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from lungflag.data.manifest import Manifest
from lungflag.errors import ManifestError
from lungflag.phantom import make_phantom, to_dicom
from lungflag.radiograph import read_radiograph
from lungflag.station.api import readings
from lungflag.station.feedback import read_feedback, safe
from tests.cli.commands import Command
from tests.radiograph.objects import content
from tests.service.rows import make_finding, make_rejection
from tests.station.desk import desk_settings, open_desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.station.desk import Desk


def bring(
    desk: Desk, seed: int, *, flagged: bool = True, rejected: bool = False, **tags: Any
) -> int:
    """Take a phantom in with an outcome, and return its job."""
    ds = to_dicom(make_phantom(seed, pneumonia=True, size=64))
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    desk.context.intake.accept(content(ds), via="folder", peer="test")  # type: ignore[arg-type]
    package = desk.context.package
    (job,) = desk.ledger.lease_jobs("test", package.name, package.version, 1, 60)
    record = make_rejection() if rejected else make_finding(flagged=flagged)
    assert desk.ledger.complete(job, record, [])
    return job.id


def say(desk: Desk, job: int, reader: str, verdict: str, comment: str = "") -> int:
    database = desk.ledger.database
    return database.write(
        lambda connection: readings.add(database, job, reader, verdict, comment, connection)
    )


def test_the_readers_word_becomes_the_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "service"
    with open_desk(desk_settings(folder)) as desk:
        said = [
            (True, "agree", "pneumonia"),
            (True, "disagree", "normal"),
            (False, "agree", "normal"),
            (False, "disagree", "pneumonia"),
        ]
        for seed, (flagged, verdict, _) in enumerate(said):
            say(desk, bring(desk, seed, flagged=flagged), "ann", verdict)
        say(desk, bring(desk, 10), "ann", "unsure")
        divided = bring(desk, 11)
        say(desk, divided, "ann", "agree")
        say(desk, divided, "bob", "disagree")
        say(desk, bring(desk, 12, rejected=True), "ann", "disagree")
        undone = say(desk, bring(desk, 13), "ann", "agree")
        database = desk.ledger.database
        database.write(lambda connection: readings.undo(database, undone, connection))
        bring(desk, 14)
        found = read_feedback(desk.ledger, folder)
        assert [row.label for row in found.rows] == [label for _, _, label in said]
        assert (found.unsure, found.divided, found.rejected, found.gone) == (1, 1, 1, 0)
        assert not any("PHANTOM" in row.patient for row in found.rows)
        named = read_feedback(desk.ledger, folder, identified=True)
        assert [row.patient for row in named.rows] == [f"PHANTOM-{n:06d}" for n in range(4)]
    out = tmp_path / "feedback.csv"
    done = Command(("feedback", "export"), monkeypatch, capsys)(out, "--folder", folder)
    assert done.code == 1, done.err  # some were left out
    assert "4 images" in done.out
    assert "readers are divided" in done.out
    manifest = Manifest.read(out)
    assert [row.label for row in manifest] == [label for _, _, label in said]
    assert read_radiograph(manifest.rows[0].path).pixels.shape == (64, 64)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    folder, out = tmp_path / "service", tmp_path / "feedback.csv"
    with open_desk(desk_settings(folder)) as desk:
        tags: dict[str, Any] = {"PatientID": "=cmd|' /C calc'!A0", "InstitutionName": "@SUM(1)"}
        say(desk, bring(desk, 1, **tags), "=ann", "agree", "+1-2")
        read_feedback(desk.ledger, folder, identified=True, source="-x").manifest.write(out)
    with out.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert "'@SUM(1)" in cells
    assert "'+1-2" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert safe("1-2") == "1-2"


def test_without_readings_there_is_nothing_to_export(tmp_path: Path) -> None:
    with (
        open_desk(desk_settings(tmp_path / "service")) as desk,
        pytest.raises(ManifestError, match="no rows"),
    ):
        assert read_feedback(desk.ledger, tmp_path).manifest
