"""The table of a bulk run: a folder of Parquet shards, each whole or not there."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TYPE_CHECKING, Any

from lungflag.bulk.files import sweep, written_whole
from lungflag.bulk.plan import Inputs, folder_of, is_begun
from lungflag.errors import BulkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from lungflag.bulk.plan import Plan

_LOCK = "_lock"


class BulkTable:
    """A table that was begun, held for this run alone. Made by `opened`.

    Attributes
    ----------
    path : Path
        The folder.
    inputs : Inputs
        The frozen list: shard n holds the rows of its nth group, in order.
    folder : str
        Where the list's relative paths count from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inputs = Inputs(path)
        self.folder = folder_of(path)

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are still to be made."""
        return [n for n in range(self.inputs.shards) if not self._shard(n).exists()]

    def write(self, shard: int, table: Any) -> None:
        """Write a shard's rows.

        Raises
        ------
        BulkError
            If the disk refuses, or these are not the shard's rows.
        """
        from pyarrow import parquet

        if table.num_rows != self.inputs.size(shard):
            raise BulkError(f"shard {shard} came with {table.num_rows} rows")
        with written_whole(self._shard(shard)) as fresh:
            parquet.write_table(table.combine_chunks(), fresh)

    def count(self) -> Counts:
        """Count the rows that are there."""
        from pyarrow import compute, parquet

        counts = Counts()
        for shard in sorted(self.path.glob("part-*.parquet")):
            columns = parquet.read_table(shard, columns=["flagged", "marks", "code"])
            for name, counter in (("flagged", counts.flagged), ("code", counts.codes)):
                for entry in compute.value_counts(columns[name]).to_pylist():
                    counter[entry["values"]] += entry["counts"]
            counts.marked += len(columns) - columns["marks"].null_count
        del counts.codes[None]
        return counts

    def _shard(self, number: int) -> Path:
        return self.path / f"part-{number:06d}.parquet"


class Counts:
    """How many rows say what."""

    def __init__(self) -> None:
        self.flagged: Counter[bool | None] = Counter()
        self.codes: Counter[str | None] = Counter()
        self.marked = 0

    @property
    def total(self) -> int:
        """All rows."""
        return self.flagged.total()

    @property
    def rejected(self) -> int:
        """Those without a judgement."""
        return self.flagged[None]


@contextmanager
def opened(
    path: Path, plan: Plan, names: Callable[[], Iterable[str]], *, resume: bool
) -> Iterator[BulkTable]:
    """Begin the table at `path`, or go on with it, and hold it against other runs.

    Parameters
    ----------
    path : Path
        The table's folder, made here.
    plan : Plan
        What is asked.
    names : callable
        Lists the inputs; called only where the table is begun.
    resume : bool
        Go on with a table that is there. Where there is none, it is begun.

    Raises
    ------
    BulkError
        If there is a table and `resume` is false, or it was begun with another plan, another run
        is writing it, or the folder cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / _LOCK).open("w")
    except FileExistsError as error:
        raise BulkError(f"{path}: a bulk table is a folder, and there is a file") from error
    except OSError as error:
        raise BulkError(f"{path}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise BulkError(f"{path}: another run is writing this table") from error
        sweep(path)
        if is_begun(path):
            if not resume:
                raise BulkError(f"{path}: there is a table; --resume goes on with it")
            plan.check(path)
        else:
            if any(path.glob("part-*.parquet")):
                raise BulkError(f"{path}: holds Parquet files of something else")
            plan.begin(path, names())
        yield BulkTable(path)
