"""What both engines do with a name: fetch, read, judge, and make a row that any run would make."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungflag.bulk.storage import fetched
from lungflag.detector import Detector
from lungflag.errors import BulkError
from lungflag.outputs.table import COLUMNS, arrow_schema, to_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lungflag.outputs.table import Row

BULK_COLUMNS = tuple(name for name in COLUMNS if name != "seconds")
"""Of `lungflag.outputs.table.COLUMNS`, what does not depend on the run."""

_AHEAD = 8  # objects fetched at once for each film that is judged at once


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bulk run asks of every input. Small, and may travel to other machines.

    Attributes
    ----------
    model : str
        A shipped package's name, or the whole path of a package's folder.
    digest : str
        The package's digest: a machine where `model` is another package may not take part.
    operating_point : str
        Its name.
    age_group : str
        ``child`` or ``adult``, where no age is known; or empty.
    folder : str
        Where relative paths count from.
    """

    model: str
    digest: str
    operating_point: str
    age_group: str
    folder: str


class Judge:
    """A loaded model that answers what was asked, with one thread an inference.

    Raises
    ------
    PackageError
        If the model cannot be loaded.
    BulkError
        If the model here is not the one that was asked for.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._detector = Detector.load(asked.model, threads=1)
        if self._detector.package.digest != asked.digest:
            raise BulkError(f"{asked.model}: is another package on this machine")

    def rows(self, names: Iterable[str], *, jobs: int) -> Iterator[Row]:
        """Yield a row for every name, in order; `jobs` are worked on at once, in threads.

        Raises
        ------
        BulkError
            If storage cannot be reached.
        """
        to_fetch, to_name = tee(names)
        outcomes = self._detector.detect_many(
            fetched(to_fetch, Path(self._asked.folder), ahead=_AHEAD * jobs),
            names=to_name,
            operating_point=self._asked.operating_point,
            age_group=self._asked.age_group,
            jobs=jobs,
        )
        return map(to_row, outcomes)


def to_table(rows: list[Row]) -> Any:
    """Return the rows as a `pyarrow.Table` with the columns `BULK_COLUMNS`."""
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=arrow_schema(BULK_COLUMNS))
