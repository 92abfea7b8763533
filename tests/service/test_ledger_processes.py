"""Several processes and threads on one ledger, some of them killed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from lungflag.errors import LedgerError
from lungflag.service.ledger import Ledger
from tests.service.certificates import make_certificates
from tests.service.postgres import running_postgres
from tests.service.rows import (
    OURS,
    PACKAGE,
    VERSION,
    make_deliveries,
    make_finding,
    make_instance,
)
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.ledger import Job
    from tests.service.postgres import Postgres


def _worker(
    url: str, name: str, *, seconds: float = 60.0, how: str = "work"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.service.ledger_worker", url, name, str(seconds), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _lease_when_due(ledger: Ledger) -> Job:
    """Return the next job, when its lease has run out."""
    found: list[Job] = []

    def came_back() -> bool:
        found.extend(ledger.lease_jobs("next", PACKAGE, VERSION, 1, 60))
        return bool(found)

    until(came_back)
    return found[0]


def test_processes_share_the_work_and_nothing_is_done_twice(
    ledger: Ledger, database_url: str
) -> None:
    for n in range(60):
        ledger.receive(make_instance(n, study=n % 7), **OURS, priority="MEDIUM")
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(database_url, f"w{n}")) for n in range(4)]
        words = Counter(word for worker in workers for word in worker.communicate()[0].split("\n"))
    assert all(worker.returncode == 0 for worker in workers)
    assert words.pop("") == 4
    assert set(words.values()) == {1}
    assert len(words) == 120
    queue = ledger.queue()
    assert (queue.jobs_done, queue.jobs_leased, queue.jobs_waiting) == (60, 0, 0)
    assert queue.deliveries_waiting == 120


def test_a_killed_holder_gives_its_job_back(ledger: Ledger, database_url: str) -> None:
    ledger.receive(make_instance(1), **OURS, priority="MEDIUM")
    with _worker(database_url, "w", seconds=2, how="hold") as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("leased")
        assert ledger.lease_jobs("next", PACKAGE, VERSION, 1, 60) == []
        worker.kill()
    assert _lease_when_due(ledger).attempts == 2


def test_a_process_killed_at_its_work_loses_and_doubles_nothing(
    ledger: Ledger, database_url: str
) -> None:
    for n in range(20):
        ledger.receive(make_instance(n), **OURS, priority="MEDIUM")
    with _worker(database_url, "killed", seconds=1) as worker:
        assert worker.stdout is not None
        for _ in range(9):
            worker.stdout.readline()
        worker.kill()
        worker.stdout.read()
    done = ledger.queue().jobs_done
    assert 3 <= done < 20
    while ledger.queue().jobs_done < 20:
        job = _lease_when_due(ledger)
        assert ledger.complete(job, make_finding(), make_deliveries(job.id, "pacs"))
    assert ledger.queue().deliveries_waiting == 40


def test_many_doors_receive_the_same_and_others(ledger: Ledger) -> None:
    numbers = [n % 30 for n in range(120)]
    with ThreadPoolExecutor(8) as pool:
        new = list(
            pool.map(
                lambda n: ledger.receive(
                    make_instance(n, study=n % 4), **OURS, priority=("LOW", "HIGH")[n % 2]
                ),
                numbers,
            )
        )
    assert sum(new) == 30
    assert ledger.queue().jobs_waiting == 30


def test_studies_rise_while_jobs_end(ledger: Ledger) -> None:
    # What locks a study and then its jobs meets what locks a job and then its study.
    for n in range(40):
        ledger.receive(make_instance(n, study=n % 2), **OURS, priority="LOW")

    def finish() -> None:
        while jobs := ledger.lease_jobs("w", PACKAGE, VERSION, 4, 60):
            for job in jobs:
                assert ledger.complete(job, make_finding(flagged=job.id % 5 == 0), [])

    def receive() -> None:
        for n in range(100, 130):
            priority = ("LOW", "MEDIUM", "HIGH")[n % 3]
            ledger.receive(make_instance(n, study=n % 2), **OURS, priority=priority)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work) for work in (receive, finish, finish, receive)]:
            future.result()
    finish()
    assert ledger.queue().jobs_done == 70


# What breaks while it connects is left by pg8000 for Python to close.
left_open = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning",
    r"ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Return a server that may be stopped."""
    with running_postgres() as server:
        yield server


@left_open
@pytest.mark.slow
@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_a_server_that_restarts_loses_and_doubles_nothing(own_postgres: Postgres, how: str) -> None:
    with Ledger.open(own_postgres.new_url(), create=True) as ledger:
        acknowledged: list[int] = []

        def reached(number: int) -> bool:
            return len(acknowledged) >= number

        def receive(first: int) -> None:
            for n in range(first, 120, 4):
                ledger.receive(make_instance(n), **OURS, priority="MEDIUM")
                acknowledged.append(n)

        def judge() -> None:
            while ledger.queue().jobs_done < 120:
                for job in ledger.lease_jobs("w", PACKAGE, VERSION, 5, 2):
                    ledger.complete(job, make_finding(), make_deliveries(job.id, "pacs"))

        threads = [Thread(target=receive, args=(first,)) for first in range(4)]
        threads += [Thread(target=judge) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in (20, 70):
            until(partial(reached, number), seconds=60)
            own_postgres.kill() if how == "kill" else own_postgres.stop(how)
            own_postgres.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        assert sorted(acknowledged) == list(range(120))
        queue = ledger.queue()
        assert (queue.jobs_done, queue.deliveries_waiting) == (120, 240)


@left_open
def test_a_server_that_stays_away_is_an_error_and_then_forgotten(own_postgres: Postgres) -> None:
    url = own_postgres.new_url()
    with Ledger.open(url, create=True, away_seconds=0.5) as ledger:
        ledger.receive(make_instance(1), **OURS, priority="LOW")
        own_postgres.stop()
        with pytest.raises(LedgerError, match="the ledger cannot be used") as caught:
            ledger.receive(make_instance(2), **OURS, priority="LOW")
        assert "Müller" not in str(caught.value)
        own_postgres.start()
        assert ledger.receive(make_instance(2), **OURS, priority="LOW")
        own_postgres.stop()
        with pytest.raises(LedgerError, match="the ledger cannot be used"):
            Ledger.open(url, away_seconds=0.1)
        own_postgres.start()


@left_open
def test_a_server_has_to_prove_who_it_is_where_it_is_asked_to(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    url = own_postgres.new_url()
    known = f"{url}?sslrootcert={certificates.ca}"
    with pytest.raises(LedgerError, match="refuses SSL"):
        Ledger.open(known, create=True, away_seconds=0)
    for identity, fine in ((certificates.foreign, False), (certificates.service, True)):
        own_postgres.stop()
        own_postgres.encrypt(identity.certificate, identity.key)
        own_postgres.start()
        if fine:
            with Ledger.open(known, create=True) as ledger:
                assert ledger.queue().jobs_done == 0
        else:
            with pytest.raises(LedgerError, match="certificate verify failed"):
                Ledger.open(known, create=True, away_seconds=0)
    with Ledger.open(url) as ledger:  # encrypted, and believed
        assert ledger.queue().jobs_done == 0
