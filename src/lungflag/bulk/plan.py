"""The plan of a bulk run: what was asked, and the frozen list of its inputs."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from lungflag.bulk.files import written_whole
from lungflag.errors import BulkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT = 1
_PLAN = "_plan.json"
_INPUTS = "_inputs.parquet"


@dataclass(frozen=True, slots=True)
class Plan:
    """What every row of the table depends on. Two runs with equal plans make equal tables.

    Attributes
    ----------
    inputs : tuple[str, ...]
        The words that the user gave, paths made whole.
    folder : str
        Where the relative paths in the list count from.
    model, version, digest : str
        The package.
    operating_point, age_group : str
        As in `lungflag.bulk.judge.Asked`.
    batch : int
        Rows of a shard.
    """

    inputs: tuple[str, ...]
    folder: str
    model: str
    version: str
    digest: str
    operating_point: str
    age_group: str
    batch: int

    def begin(self, table: Path, names: Iterable[str]) -> None:
        """Write the list of inputs, then the plan: where there is a plan, the list is whole.

        Raises
        ------
        BulkError
            If the folder cannot be written.
        """
        with written_whole(table / _INPUTS) as fresh:
            _write_names(fresh, names, self.batch)
            digest = _sha256(fresh)
        record = {"format": FORMAT, **asdict(self), "inputs_sha256": digest}
        with written_whole(table / _PLAN) as fresh:
            fresh.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def check(self, table: Path) -> None:
        """Compare with the plan that the table was begun with.

        Raises
        ------
        BulkError
            If they differ, naming the first difference, or the list was changed since.
        """
        path = table / _PLAN
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            begun = {field.name: record[field.name] for field in fields(self)}
            digest = record["inputs_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BulkError(f"{path}: is no plan of a bulk run ({error})") from error
        if record.get("format") != FORMAT:
            raise BulkError(f"{path}: was written by another version of lungflag")
        # The folder only says where the list's own paths count from.
        for name, now in json.loads(json.dumps(asdict(self))).items():
            if name != "folder" and begun[name] != now:
                word = name.replace("_", " ")
                raise BulkError(
                    f"{table}: was begun with {word} {_shown(begun[name])}, not {_shown(now)}; "
                    "only the same command goes on with it"
                )
        if _sha256(table / _INPUTS) != digest:
            raise BulkError(f"{table / _INPUTS}: was changed since the run began")


def is_begun(table: Path) -> bool:
    """Tell whether the folder holds a plan."""
    return (table / _PLAN).exists()


def folder_of(table: Path) -> str:
    """Return where the relative paths of the list count from."""
    folder: str = json.loads((table / _PLAN).read_text(encoding="utf-8"))["folder"]
    return folder


class Inputs:
    """The frozen list of a table's inputs, one row group a shard."""

    def __init__(self, table: Path) -> None:
        from pyarrow import parquet

        self._file: Any = parquet.ParquetFile(table / _INPUTS)

    def __len__(self) -> int:
        total: int = self._file.metadata.num_rows
        return total

    @property
    def shards(self) -> int:
        """How many shards the whole table has."""
        groups: int = self._file.num_row_groups
        return groups

    def size(self, shard: int) -> int:
        """Return how many rows the shard has."""
        rows: int = self._file.metadata.row_group(shard).num_rows
        return rows

    def names(self, shard: int) -> list[str]:
        """Return the names of a shard's inputs, in order."""
        column = self._file.read_row_group(shard).column("name")
        return [os.fsdecode(name) for name in column.to_pylist()]


def _write_names(path: Path, names: Iterable[str], batch: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    groups = _batches(names, batch)
    first = next(groups, None)
    if first is None:
        raise BulkError("there is nothing to judge")
    # As bytes: a file's name need not be text.
    schema = pa.schema([("name", pa.binary())])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in chain([first], groups):
            column = pa.array([os.fsencode(name) for name in group], pa.binary())
            writer.write_table(pa.table([column], schema=schema))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BulkError(f"{path}: cannot be read ({error.strerror})") from error


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else repr(value)


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting = iter(names)
    while batch := list(islice(waiting, size)):
        yield batch
