"""Whichever way a film comes in, the shipped package says the same of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx2
import pytest

from lungflag.detector import Detector
from lungflag.outcome import Finding
from lungflag.service.ledger import Ledger
from lungflag.station.accounts.keys import add_key
from tests.bulk.archives import rows, start
from tests.radiograph.objects import content, dx
from tests.service.dcmtk import call
from tests.service.films import real_pixels
from tests.service.service import serving
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.service.service import Serving

pytestmark = [pytest.mark.slow, pytest.mark.shared]

MODEL = "guangzhou"


class Said(NamedTuple):
    """What every path has to repeat, to the last bit."""

    probability: float | None
    flagged: bool | None
    threshold: float | None


@pytest.fixture(scope="module")
def originals(shared: Path) -> Path:
    return shared / "data" / "originals"


@pytest.fixture(scope="module")
def said(originals: Path) -> dict[str, Said]:
    """Return what the detector says of the 200 films, one by one."""
    found = detected(sorted(originals.rglob("*.jp*g")))
    assert len(found) == 200
    return found


def detected(films: Iterable[Path], *, jobs: int = 1) -> dict[str, Said]:
    found = {}
    for outcome in Detector.load(MODEL, threads=1).detect_many(films, jobs=jobs):
        assert isinstance(outcome, Finding), outcome
        found[outcome.source] = Said(outcome.probability, outcome.flagged, outcome.threshold)
    return found


def in_table(table: Path) -> dict[str, Said]:
    return {
        row["path"].removeprefix("file://"): Said(*(row[name] for name in Said._fields))
        for row in rows(table)
    }


def test_in_threads(originals: Path, said: dict[str, Said]) -> None:
    assert detected(sorted(originals.rglob("*.jp*g")), jobs=2) == said


def test_plain_detect_and_both_bulk_engines(
    originals: Path, said: dict[str, Said], tmp_path: Path
) -> None:
    urls = f"file://{originals}"  # read as bytes, like what lies in object storage
    for name, words in {
        "plain.parquet": (originals,),
        "local": (originals, "--engine", "local", "--batch", 64),
        "fetched": (urls, "--engine", "local", "--batch", 64),
        "ray": (originals, "--engine", "ray", "--jobs", 1, "--batch", 64),
    }.items():
        run = start(*words, "--table", tmp_path / name, model=MODEL)
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
        assert in_table(tmp_path / name) == said, name


def test_the_service_and_the_station(shared: Path, said: dict[str, Said], tmp_path: Path) -> None:
    films = dicom_films(shared, tmp_path)
    with serving(tmp_path / "service", model=MODEL, requests_a_minute=100_000) as one:
        assert uploaded(one, said) == said
        assert call("storescu", one.port, *films.values()) == ""
        until(lambda: one.queue().jobs_done == len(said) + len(films), seconds=300, what="results")
        with Ledger.open(f"sqlite:///{one.folder / 'ledger.db'}") as ledger:
            kept = {row.sop_instance_uid: row.outcome for row in ledger.recent(1000)}
    expected = detected(films.values())
    for uid, path in films.items():
        outcome = kept[uid]
        assert outcome is not None
        assert (
            Said(outcome.probability, outcome.flagged, outcome.threshold) == expected[str(path)]
        ), path


def dicom_films(shared: Path, folder: Path) -> dict[str, Path]:
    """Write every fourth film as a DX object of 12 bits; return paths by SOP Instance UID."""
    found = {}
    for index in range(0, 200, 4):
        film = dx(real_pixels(shared, index), 12, ViewPosition="PA")
        found[str(film.SOPInstanceUID)] = folder / f"{index}.dcm"
        found[str(film.SOPInstanceUID)].write_bytes(content(film))
    return found


def uploaded(one: Serving, films: Iterable[str]) -> dict[str, Said]:
    """Send films to the station's API, and return what it answers."""
    with Ledger.open(f"sqlite:///{one.folder / 'ledger.db'}") as ledger:
        _, key = add_key(ledger.database, "modality", ("images:write",), by="tests")
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "image/jpeg",
        "Prefer": "wait=30",
    }
    found = {}
    with httpx2.Client(headers=headers, trust_env=False, timeout=60) as client:
        for path in films:
            body = Path(path).read_bytes()
            answer = client.post(f"{one.station}/api/v1/images", content=body)
            assert answer.status_code == 201, answer.text
            outcome = answer.json()["outcome"]
            found[path] = Said(*(outcome[name] for name in Said._fields))
    return found
