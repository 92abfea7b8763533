"""A process that works on a ledger: ``python -m tests.service.ledger_worker URL NAME SECONDS``.

It prints the number of every job that it leases, and of every outcome that it has committed.
With ``hold`` as the last argument it takes one job and sits on it.
"""

from __future__ import annotations

import sys
from threading import Event

from lungflag.service.ledger import Ledger
from tests.service.rows import PACKAGE, VERSION, make_deliveries, make_finding


def main(url: str, name: str, seconds: float, how: str) -> None:
    """Work until nothing waits."""
    with Ledger.open(url) as ledger:
        while jobs := ledger.lease_jobs(name, PACKAGE, VERSION, 1 if how == "hold" else 3, seconds):
            for job in jobs:
                say(f"leased {job.id}")
                if how == "hold":
                    Event().wait()
                if ledger.complete(job, make_finding(), make_deliveries(job.id, "pacs")):
                    say(f"done {job.id}")


def say(line: str) -> None:
    """Write a line for the test that reads it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4])
