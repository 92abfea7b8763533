"""The sender: it keeps at it, gives up where it must, and no target holds up another."""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.service.deliver.backoff import Backoff
from lungflag.service.deliver.sender import Persistence, send
from lungflag.service.ledger import Ledger
from lungflag.service.process import Stop
from lungflag.service.settings import Settings, load_settings
from tests.service.orthanc import free_port
from tests.service.receivers import SECONDARY_CAPTURE, VERIFICATION, running_archive, running_site
from tests.service.results import Made, enter, make_results
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAST = Persistence(
    attempts=3, backoff=Backoff(0.01, 0.1, Random(1)), reach=Backoff(0.05, 0.2, Random(1))
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_results(tmp_path_factory.mktemp("results"))


def settings_with(tmp_path: Path, *targets: dict[str, Any]) -> Settings:
    flags = {"folder": tmp_path / "service", "model": "phantom", "targets": list(targets)}
    settings = load_settings(None, {}, flags)
    settings.folder.mkdir(exist_ok=True)
    return settings


@contextmanager
def sending(settings: Settings, persistence: Persistence = FAST) -> Iterator[Ledger]:
    """Run a sender on the settings' ledger."""
    with Ledger.open(settings.database_url, create=True) as ledger:
        stop = Stop()
        thread = Thread(target=send, args=(settings, ledger, stop, persistence))
        thread.start()
        try:
            yield ledger
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


def delivered(ledger: Ledger, n: int) -> None:
    until(lambda: ledger.queue().deliveries_done == n, what=f"{n} deliveries")


def test_results_reach_every_target_and_a_burst_shares_an_association(
    made: Made, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with running_archive() as archive, running_site() as site:
        settings = settings_with(
            tmp_path,
            {"name": "pacs", "kind": "dicom", "address": archive.address},
            {"name": "ris", "kind": "fhir", "address": site.address},
            {"name": "disk", "kind": "files", "address": str(out), "send": ["sr"]},
        )
        with sending(settings) as ledger:
            for number in range(3):
                enter(ledger, settings, made, number)
            delivered(ledger, 3 * (2 + 1 + 1))
            assert sum(archive.arrived.values()) == 6
            assert archive.associations == 1
            assert len(site.requests) == 3
            assert len(list(out.rglob("*report.dcm"))) == 3


def test_a_target_that_is_away_holds_up_nobody_and_gets_everything_later(
    made: Made, tmp_path: Path
) -> None:
    port = free_port()
    settings = settings_with(
        tmp_path,
        {"name": "away", "kind": "dicom", "address": f"ARCHIVE@127.0.0.1:{port}"},
        {"name": "disk", "kind": "files", "address": str(tmp_path / "out")},
    )
    with sending(settings) as ledger:
        for number in range(3):
            enter(ledger, settings, made, number)
        delivered(ledger, 3 * 3)
        assert ledger.queue().deliveries_dead == 0
        with running_archive(port=port) as archive:
            delivered(ledger, 3 * 3 + 3 * 2)
            assert len(archive.arrived) == 2


def test_a_target_that_answers_slowly_holds_up_nobody(made: Made, tmp_path: Path) -> None:
    with running_archive() as archive:
        archive.open.clear()
        settings = settings_with(
            tmp_path,
            {"name": "slow", "kind": "dicom", "address": archive.address},
            {"name": "disk", "kind": "files", "address": str(tmp_path / "out")},
        )
        with sending(settings) as ledger:
            enter(ledger, settings, made)
            delivered(ledger, 3)
            archive.open.set()
            delivered(ledger, 3 + 2)


def test_what_is_refused_is_a_dead_letter_at_once_until_someone_asks_again(
    made: Made, tmp_path: Path
) -> None:
    with running_archive(takes=[SECONDARY_CAPTURE, VERIFICATION]) as archive:
        entry = {"name": "pacs", "kind": "dicom", "address": archive.address}
        settings = settings_with(tmp_path, entry)
        with sending(settings) as ledger:
            enter(ledger, settings, made)
            delivered(ledger, 1)
            until(lambda: ledger.queue().deliveries_dead == 1, what="a dead letter")
            (letter,) = ledger.dead()
            assert (letter.kind, letter.attempts) == ("sr", 1)
            assert letter.error == "does not take Comprehensive 3D SR Storage"
            port = archive.port
    with running_archive(port=port), sending(settings) as ledger:
        assert ledger.retry_dead("elsewhere") == 0
        assert ledger.retry_dead("pacs") == 1
        delivered(ledger, 2)


def test_what_fails_too_often_is_a_dead_letter(made: Made, tmp_path: Path) -> None:
    with running_archive() as archive:
        archive.statuses.extend([0xA700] * 3)
        entry = {"name": "pacs", "kind": "dicom", "address": archive.address, "send": ["sr"]}
        settings = settings_with(tmp_path, entry)
        with sending(settings) as ledger:
            enter(ledger, settings, made)
            until(lambda: ledger.queue().deliveries_dead == 1, what="a dead letter")
            (letter,) = ledger.dead()
            assert (letter.attempts, letter.error) == (3, "status A700H: out of resources")
            assert ledger.retry_dead() == 1
            delivered(ledger, 1)
        assert sum(archive.arrived.values()) == 4


@given(
    first=st.floats(0.01, 10),
    longest=st.floats(10, 1000),
    attempts=st.integers(1, 10_000),
    seed=st.integers(0, 2**32),
)
def test_waits_double_up_to_a_limit_and_follow_from_the_seed(
    first: float, longest: float, attempts: int, seed: int
) -> None:
    whole = min(longest, first * 2.0 ** min(attempts - 1, 100))
    wait = Backoff(first, longest, Random(seed)).seconds(attempts)
    assert whole / 2 <= wait <= whole
    assert wait == Backoff(first, longest, Random(seed)).seconds(attempts)
