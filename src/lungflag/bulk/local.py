"""The local engine: one process, as many threads as there are CPUs, one shard after another."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from lungflag.bulk.judge import Judge, to_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lungflag.bulk.judge import Asked
    from lungflag.bulk.table import BulkTable


def judge_here(
    table: BulkTable, missing: Iterable[int], asked: Asked, *, jobs: int
) -> Iterator[tuple[int, Any]]:
    """Yield the shards `missing` in order, each with its rows as a `pyarrow.Table`.

    Films are judged past the end of a shard while its last ones are still being worked on, so
    that no thread waits there. Memory does not grow with the archive.

    Raises
    ------
    PackageError
        If the model cannot be loaded.
    BulkError
        If storage cannot be reached.
    """
    begun: deque[tuple[int, int]] = deque()

    def names() -> Iterator[str]:
        for shard in missing:
            inside = table.inputs.names(shard)
            begun.append((shard, len(inside)))
            yield from inside

    rows = Judge(asked).rows(names(), jobs=jobs)
    for first in rows:
        shard, size = begun.popleft()
        yield shard, to_table([first, *islice(rows, size - 1)])
