"""`lungflag serve` as a group of processes: who dies comes back, and nobody stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service import dcmtk, poison
from tests.service.processes import children
from tests.service.service import PROGRAM, Serving, serving
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

# The leader, its four parts, the worker's child, and the station's two that decode.
EVERYBODY = 8


def alive(processes: Sequence[int]) -> list[int]:
    return [one for one in processes if Path(f"/proc/{one}").exists()]


def everybody(service: Serving) -> list[int]:
    """Return all processes of a service: its parts and their children."""
    parts = service.parts()
    return [service.process.pid, *parts, *(child for one in parts for child in children(one))]


def send(service: Serving, folder: Path, side: int) -> None:
    path = folder / f"{side}.dcm"
    path.write_bytes(poison.slow(side))
    assert dcmtk.call("dcmsend", service.port, path) == ""


def test_whoever_is_killed_comes_back_and_nobody_outlives_the_leader(tmp_path: Path) -> None:
    with serving(tmp_path / "service", lease_seconds=4, timeout_seconds=3.5) as service:
        first = service.parts()
        assert len(first) == 4  # node, station, worker, sender
        send(service, tmp_path, 1200)
        until(lambda: service.queue().jobs_leased == 1, what="a lease")
        for part in first:
            os.kill(part, signal.SIGKILL)
        until(lambda: service.queue().deliveries_done == 3, seconds=120, what="deliveries")
        assert service.queue().jobs_done == 1
        until(lambda: len(everybody(service)) == EVERYBODY, seconds=60, what="all parts")
        assert not set(first) & set(service.parts())
        log = [json.loads(line) for line in service.log.read_text().splitlines()]
        ended = [line["part"] for line in log if line["message"] == "part ended"]
        assert sorted(ended) == ["node", "sender", "station", "worker"]
        everyone = everybody(service)
        service.process.kill()
        service.process.wait()
        until(lambda: not alive(everyone[1:]), seconds=60, what="everybody's end")


def test_a_stop_ends_everybody_and_leaves_work_for_the_next_start(tmp_path: Path) -> None:
    with serving(tmp_path / "service") as service:
        for side in (900, 901, 902):
            send(service, tmp_path, side)
        everyone = everybody(service)
        assert len(everyone) == EVERYBODY
        assert service.end() == 0
        assert not alive(everyone)
        queue = service.queue()
        assert queue.jobs_leased == 0
        assert queue.jobs_done + queue.jobs_waiting == 3
    with serving(tmp_path / "service") as service:
        until(lambda: service.queue().deliveries_done == 9, seconds=120, what="deliveries")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"LUNGFLAG_MODEL": "nothing"}, "no model package of that name"),
        ({"LUNGFLAG_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"LUNGFLAG_DATABASE": "sqlite:////proc/ledger.db"}, "ledger"),
    ],
)
def test_settings_that_cannot_work_are_said_in_one_line(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    fixed = {"LUNGFLAG_MODEL": "phantom", "LUNGFLAG_PORT": "0", "LUNGFLAG_HTTP_PORT": "0"}
    done = subprocess.run(
        [PROGRAM, "serve", "--folder", tmp_path / "data"],
        env={**os.environ, **fixed, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert words in done.stderr
