"""Outcomes as a table: one row an input, as JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lungflag._extras import require
from lungflag.errors import LungflagError
from lungflag.outcome import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import TextIO

    from lungflag.outcome import Outcome

    Row = dict[str, str | float | bool | None]

COLUMNS = {
    "path": "string",
    "outcome": "string",
    "probability": "double",
    "flagged": "bool",
    "threshold": "double",
    "operating_point": "string",
    "age_group": "string",
    "marks": "string",
    "code": "string",
    "reason": "string",
    "model": "string",
    "version": "string",
    "seconds": "double",
}
"""Column name to Arrow type, in order."""

_ROW_GROUP = 1024


class RowWriter(Protocol):
    """Takes rows one by one."""

    def __call__(self, row: Row) -> None:
        """Write one row."""


def to_row(outcome: Outcome) -> Row:
    """Return the outcome as a row with exactly the keys of `COLUMNS`.

    What does not apply is None: a rejection has no probability, is neither flagged nor not
    flagged, and meets no threshold; a finding has no code and no reason, and may have no marks.
    Several marks are joined by semicolons. Bytes of a path that are not UTF-8 are written as
    backslash escapes.
    """
    row: Row = dict.fromkeys(COLUMNS)
    row |= {
        "path": outcome.source.encode("utf-8", "backslashreplace").decode("utf-8"),
        "operating_point": outcome.operating_point,
        "model": outcome.model,
        "version": outcome.version,
        "seconds": outcome.seconds,
    }
    if isinstance(outcome, Finding):
        row |= {
            "outcome": "finding",
            "probability": outcome.probability,
            "flagged": outcome.flagged,
            "threshold": outcome.threshold,
            "age_group": outcome.age_group or None,
            "marks": "; ".join(outcome.marks) or None,
        }
    else:
        row |= {"outcome": "rejection", "code": outcome.code, "reason": outcome.reason}
    return row


def to_json(row: Row) -> str:
    """Return the row as one line of strict JSON, without its line end."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def arrow_schema(names: Iterable[str] = COLUMNS) -> Any:
    """Return the `pyarrow.Schema` of a table with these columns of `COLUMNS`."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(COLUMNS[name])) for name in names])


def open_table(path: str | Path) -> AbstractContextManager[RowWriter]:
    """Return a context whose value writes rows to `path`; its folder is made.

    JSON lines and CSV are flushed row by row, so that a killed run keeps its rows. Parquet is
    whole once the context ends, also by an error.

    Parameters
    ----------
    path : str or Path
        Ends in ``.jsonl``, ``.csv`` or ``.parquet``. A file there is replaced.

    Raises
    ------
    LungflagError
        At once if the suffix is another; on entering if the file cannot be written; later if the
        disk is full.
    MissingExtraError
        At once if Parquet is asked for and pyarrow is not installed.

    Examples
    --------
    >>> with open_table("out.jsonl") as write:  # doctest: +SKIP
    ...     for outcome in detector.detect_many(paths):
    ...         write(to_row(outcome))
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        require("pyarrow.parquet", feature="a .parquet table", extra="evidence")
        return _parquet(path)
    writer = {".jsonl": _jsonl, ".csv": _csv}.get(path.suffix.lower())
    if writer is None:
        raise LungflagError(f"{path}: a table ends in .jsonl, .csv or .parquet")
    return _lines(path, writer)


@contextmanager
def _lines(path: Path, writer: Callable[[TextIO], RowWriter]) -> Iterator[RowWriter]:
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8", newline="")
    put = writer(file)

    def write(row: Row) -> None:
        with _named_errors(path):
            put(row)
            file.flush()

    try:
        yield write
    finally:
        with _named_errors(path):
            file.close()


def _jsonl(file: TextIO) -> RowWriter:
    return lambda row: _drop(file.write(to_json(row) + "\n"))


def _csv(file: TextIO) -> RowWriter:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    return lambda row: _drop(table.writerow(_cell(row[name]) for name in COLUMNS))


def _cell(value: str | float | bool | None) -> str | float | None:
    return str(value).lower() if isinstance(value, bool) else value


def _drop(_: object) -> None:
    """Turn a writer's count into no result."""


@contextmanager
def _parquet(path: Path) -> Iterator[RowWriter]:
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema()
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        table: Any = parquet.ParquetWriter(path, schema)
    rows: list[Row] = []

    def flush() -> None:
        with _named_errors(path):
            table.write_table(pa.Table.from_pylist(rows, schema=schema))
        rows.clear()

    def write(row: Row) -> None:
        rows.append(row)
        if len(rows) == _ROW_GROUP:
            flush()

    try:
        yield write
    finally:
        if rows:
            flush()
        with _named_errors(path):
            table.close()


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LungflagError(f"{path}: cannot be written ({error.strerror or error})") from error
