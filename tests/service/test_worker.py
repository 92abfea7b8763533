"""The worker: one outcome for each instance, whatever the instance does to whoever decodes it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.process import Stop
from lungflag.service.settings import Settings, load_settings
from lungflag.service.worker import Pace, Worker
from tests.radiograph.objects import content
from tests.service import poison
from tests.service.doors import Door, open_door
from tests.service.processes import children
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.ledger import Recent

ENDLESS = 8_000_000
"""Elements behind the pixels of an object that takes many times `SECONDS` to read."""
SECONDS = 2.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {
        "folder": tmp_path / "service",
        "model": "phantom",
        "keep_free_mib": 0,
        "memory_mib": 1024,
        "attempts": 2,
        "workers": 2,
        "targets": [
            {"name": "all", "kind": "files", "address": "out"},
            {"name": "ris", "kind": "fhir", "address": "http://127.0.0.1:1"},
        ],
    }
    return load_settings(None, {}, flags)


@contextmanager
def working(door: Door) -> Iterator[Stop]:
    """Run a worker."""
    stop, ready = Stop(), Event()
    worker = Worker(door.settings, door.ledger)
    thread = Thread(target=worker.run, args=(stop, ready.set), name="worker")
    thread.start()
    try:
        assert ready.wait(60)
        yield stop
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def bring(door: Door, data: bytes) -> str:
    return door.intake.accept(data, via="folder", peer="test").sop_instance_uid


def a_phantom(seed: int) -> bytes:
    return content(to_dicom(make_phantom(seed, pneumonia=bool(seed % 2), size=192)))  # type: ignore[arg-type]


def outcomes(door: Door, n: int, seconds: float = 120) -> dict[str, Recent]:
    """Wait for `n` outcomes, and return them by instance."""
    until(lambda: door.ledger.queue().jobs_done == n, seconds=seconds, what=f"{n} outcomes")
    return {row.sop_instance_uid: row for row in door.ledger.recent(100)}


def test_films_are_judged_and_their_results_are_due_at_each_target(settings: Settings) -> None:
    with open_door(settings) as door:
        uids = [bring(door, a_phantom(seed)) for seed in range(4)]
        bad = bring(door, poison.cut_short())
        gone = bring(door, a_phantom(4))
        door.stored(gone).unlink()
        with working(door):
            rows = outcomes(door, 6)
        for uid in uids:
            outcome = rows[uid].outcome
            assert outcome is not None
            assert (outcome.kind, outcome.code) == ("finding", None)
            assert outcome.flagged == (outcome.probability >= outcome.threshold)  # type: ignore[operator]
        rejection = rows[bad].outcome
        assert rejection is not None
        assert (rejection.kind, rejection.code) == ("rejection", "unreadable")
        due = {name: door.ledger.lease_deliveries("test", name, 100, 60) for name in ("all", "ris")}
    assert len(due["all"]) == 4 * 3 + 2 * 2  # a rejection has no overlay
    assert [one.kind for one in due["ris"]] == ["fhir"] * 6
    for one in due["all"]:
        path = settings.folder / one.path
        if one.kind != "fhir":
            result = dcmread(path)
            assert result.SOPInstanceUID == one.uid
            assert result.StudyInstanceUID == one.study_instance_uid
            if one.sop_instance_uid == gone:  # from what the ledger knows
                assert result.PatientID == "PHANTOM-000004"


def test_one_that_overruns_is_rejected_in_the_end_and_harms_no_other(settings: Settings) -> None:
    with open_door(replace(settings, timeout_seconds=SECONDS)) as door:
        first = [bring(door, a_phantom(seed)) for seed in (0, 1)]
        bad = bring(door, poison.long_tailed(ENDLESS))
        last = [bring(door, a_phantom(seed)) for seed in (2, 3)]
        with working(door):
            rows = outcomes(door, 5)
        outcome = rows[bad].outcome
        assert outcome is not None
        assert (outcome.code, outcome.reason) == ("unexpected", "judging it failed 2 times")
        assert all(rows[uid].outcome.kind == "finding" for uid in first + last)  # type: ignore[union-attr]
        reports = [
            one for one in door.ledger.lease_deliveries("t", "all", 100, 60) if one.kind == "sr"
        ]
        assert len(reports) == 5
    left = sorted(path.name for path in (settings.folder / "results").glob("*/*"))
    assert len(left) == 5
    assert not [name for name in left if name.endswith(".tmp")]


def test_a_killed_child_costs_an_attempt_and_nothing_else(settings: Settings) -> None:
    with open_door(settings) as door:
        uid = bring(door, poison.long_tailed(1_000_000))
        with working(door):
            until(lambda: children(os.getpid(), "lungflag.service.child"), what="a child")
            until(lambda: door.ledger.queue().jobs_leased == 1, what="a lease")
            (child,) = children(os.getpid(), "lungflag.service.child")
            os.kill(child, signal.SIGKILL)
            rows = outcomes(door, 1)
        outcome = rows[uid].outcome
        assert outcome is not None
        assert outcome.kind == "finding"
    assert [path.name for path in (settings.folder / "results").glob("*/*")] == ["2"]


def test_while_results_cannot_be_written_nothing_is_given_up(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with open_door(settings) as door:
        uid = bring(door, a_phantom(1))
        results = settings.folder / "results"
        job_folder = results / "1"
        results.mkdir()
        job_folder.write_text("in the way")
        with working(door):
            # Far more often than `attempts` would allow an instance that is at fault.
            until(lambda: caplog.text.count("attempt failed") > 3, what="failures")
            assert door.ledger.queue().jobs_done == 0
            job_folder.unlink()
            rows = outcomes(door, 1)
        outcome = rows[uid].outcome
        assert outcome is not None
        assert outcome.kind == "finding"


def test_a_stop_ends_the_instance_at_hand_and_gives_back_the_others(settings: Settings) -> None:
    with open_door(settings) as door:
        for seed in range(3):
            bring(door, poison.slow(1000 + seed))
        with working(door) as stop:
            until(lambda: door.ledger.queue().jobs_leased, what="a lease")
            stop.set()
        queue = door.ledger.queue()
        assert queue.jobs_leased == 0
        assert queue.jobs_done + queue.jobs_waiting == 3
        (job,) = door.ledger.lease_jobs("t", "phantom", door.package.version, 1, 60)
        assert job.attempts == 1


@given(st.integers(1, 64), st.lists(st.integers(0, 64), max_size=40))
def test_a_pace_asks_for_one_when_idle_and_never_for_too_many(most: int, jobs: list[int]) -> None:
    pace = Pace(most)
    for n in jobs:
        assert 1 <= pace.wanted <= most
        assert 0 < pace.pause <= 1
        got = min(n, pace.wanted)
        before = pace.wanted
        pace.got(got)
        assert pace.wanted == (min(2 * before, most) if got == before else 1)
