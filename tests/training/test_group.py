"""Processes that train together, one of which is killed."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from torch import distributed

from lungflag.errors import TrainingError
from lungflag.training.group import Group, in_processes, this_group


def _write_own_name(folder: Path) -> None:
    group = this_group()
    assert group is not None
    distributed.barrier()
    (folder / f"{group.rank} of {group.size}").touch()


def _die_as_the_second() -> None:
    group = this_group()
    assert group is not None
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    distributed.barrier()  # nobody comes


@pytest.mark.slow
def test_processes_know_each_other_and_meet(tmp_path: Path) -> None:
    in_processes(2, partial(_write_own_name, tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0 of 2", "1 of 2"]


@pytest.mark.slow
def test_a_lost_process_ends_the_others_and_is_named() -> None:
    with pytest.raises(TrainingError, match=r"process \d of 2 failed.*goes on from the last"):
        in_processes(2, _die_as_the_second)


def test_who_started_this_process_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert this_group() is None
    for name, value in zip(names, "5824", strict=True):
        monkeypatch.setenv(name, value)
    assert this_group() == Group(rank=5, size=8, local_rank=2, local_size=4)
