"""The processes that train one network together: who this one is, and how they are started.

Whoever starts them says who is who by the variables that torchrun sets; Ray Train sets the same.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessException, start_processes

from lungflag.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = timedelta(days=2)  # others wait while one decodes the images


@dataclass(frozen=True, slots=True)
class Group:
    """One process among those that train together.

    Attributes
    ----------
    rank, size : int
        Its number, and how many there are on all machines. Number 0 writes and speaks.
    local_rank, local_size : int
        The same on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def this_group() -> Group | None:
    """Return this process's place among others, or None where nobody started it as one of many."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(name in os.environ for name in names):
        return None
    return Group(*(int(os.environ[name]) for name in names))


@contextmanager
def joined(group: Group) -> Iterator[None]:
    """Let this process talk with the others of its group, if nobody did so before."""
    if group.size == 1 or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(group.local_rank)
    distributed.init_process_group(_backend(), timeout=_PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def first_on_this_machine(group: Group) -> Iterator[None]:
    """Let one process of each machine go through before the others, who find its work done."""
    if group.size > 1 and group.local_rank > 0:
        distributed.barrier()
    yield
    if group.size > 1 and group.local_rank == 0:
        distributed.barrier()


def in_processes(number: int, part: Callable[[], None]) -> None:
    """Run `part` in so many new processes of this machine, which are one group.

    Parameters
    ----------
    number : int
        Processes.
    part : Callable[[], None]
        What each does; it must be picklable.

    Raises
    ------
    TrainingError
        If one of them fails, which ends them all.
    """
    with TemporaryDirectory() as folder:
        try:
            start_processes(  # type: ignore[no-untyped-call]
                _member, (number, Path(folder) / "meeting", part), nprocs=number
            )
        except ProcessException as error:
            reason = str(error).strip().splitlines()[-1]
            raise TrainingError(
                f"process {error.error_index} of {number} failed: {reason}; "
                "the same command goes on from the last whole epoch"
            ) from error


def _member(rank: int, size: int, meeting: Path, part: Callable[[], None]) -> None:
    names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size}
    os.environ.update({name: str(value) for name, value in names.items()})
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    # They meet at a file: no port that another program might take.
    distributed.init_process_group(
        _backend(), init_method=meeting.as_uri(), rank=rank, world_size=size
    )
    try:
        part()
    except KeyboardInterrupt:
        sys.exit(130)  # else the parent would take the training for done
    finally:
        distributed.destroy_process_group()


def _backend() -> str:
    return "nccl" if torch.cuda.is_available() else "gloo"
