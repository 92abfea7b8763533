from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lungflag.errors import LungflagError
from lungflag.outcome import Finding, Rejection
from lungflag.outputs.table import COLUMNS, open_table, to_json, to_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lungflag.outcome import Outcome

KEYS = [
    "path",
    "outcome",
    "probability",
    "flagged",
    "threshold",
    "operating_point",
    "age_group",
    "marks",
    "code",
    "reason",
    "model",
    "version",
    "seconds",
]


def finding(source: str = "a.png", probability: float = 0.75, **more: Any) -> Finding:
    return Finding(
        source=source,
        probability=probability,
        flagged=probability >= 0.5,
        threshold=0.5,
        operating_point="balanced",
        model="tiny",
        version="1",
        seconds=0.125,
        heatmap=np.zeros((2, 2), np.float32),
        embedding=np.zeros(3, np.float32),
        **more,
    )


def rejection(source: str = "b.png", reason: str = "is empty") -> Rejection:
    return Rejection(source, "unreadable", reason, "balanced", "tiny", "1", 0.5)


def write(path: Path, outcomes: Iterable[Outcome]) -> None:
    with open_table(path) as put:
        for outcome in outcomes:
            put(to_row(outcome))


OUTCOMES: list[Outcome] = [
    finding(),
    rejection('sub/b, "two".png', 'of no format:\t"x", y\nor z'),
    finding("ärzte/王.dcm", 0.1),
]


def test_a_row_has_exactly_the_documented_keys() -> None:
    assert list(COLUMNS) == KEYS
    assert to_row(finding()) == {
        "path": "a.png",
        "outcome": "finding",
        "probability": 0.75,
        "flagged": True,
        "threshold": 0.5,
        "operating_point": "balanced",
        "age_group": None,
        "marks": None,
        "code": None,
        "reason": None,
        "model": "tiny",
        "version": "1",
        "seconds": 0.125,
    }
    assert to_row(rejection()) == {
        "path": "b.png",
        "outcome": "rejection",
        "probability": None,
        "flagged": None,
        "threshold": None,
        "operating_point": "balanced",
        "age_group": None,
        "marks": None,
        "code": "unreadable",
        "reason": "is empty",
        "model": "tiny",
        "version": "1",
        "seconds": 0.5,
    }


def test_marks_share_a_cell() -> None:
    row = to_row(finding(age_group="child", marks=("outside: a", "contradiction: b")))
    assert (row["age_group"], row["marks"]) == ("child", "outside: a; contradiction: b")


def test_json_lines_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.jsonl"
    write(path, OUTCOMES)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [to_row(outcome) for outcome in OUTCOMES]


def test_csv_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "out.CSV"
    write(path, OUTCOMES)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == KEYS
    for row, outcome in zip(rows, OUTCOMES, strict=True):
        expected = to_row(outcome)
        assert row["path"] == expected["path"]
        assert row["reason"] == (expected["reason"] or "")
        assert row["flagged"] == {True: "true", False: "false", None: ""}[expected["flagged"]]  # type: ignore[index]
        assert (float(row["probability"]) if row["probability"] else None) == expected[
            "probability"
        ]


def test_parquet_reads_back_with_its_types(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    write(path, OUTCOMES)
    table = parquet.read_table(path)
    assert table.schema.names == KEYS
    assert table.schema.field("flagged").type == pa.bool_()
    assert table.schema.field("probability").type == pa.float64()
    assert table.to_pylist() == [to_row(outcome) for outcome in OUTCOMES]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_run_without_rows_leaves_a_valid_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path, [])
    if suffix == ".parquet":
        assert parquet.read_table(path).num_rows == 0
    elif suffix == ".csv":
        assert path.read_text(encoding="utf-8").strip().split(",") == KEYS
    else:
        assert path.read_bytes() == b""


def test_a_long_parquet_table_is_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    write(path, [rejection(str(n)) for n in range(2500)])
    assert parquet.read_table(path)["path"].to_pylist() == [str(n) for n in range(2500)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_run_that_breaks_off_keeps_its_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"

    def outcomes() -> Iterator[Outcome]:
        yield finding()
        yield rejection()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, outcomes())
    if suffix == ".parquet":
        assert parquet.read_table(path).num_rows == 2
    else:
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2 + (suffix == ".csv")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_killed_run_keeps_its_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    code = (
        "import os, signal, sys\n"
        "from lungflag.outcome import Rejection\n"
        "from lungflag.outputs.table import open_table, to_row\n"
        "with open_table(sys.argv[1]) as put:\n"
        "    for n in range(5):\n"
        "        put(to_row(Rejection(str(n), 'c', 'r', 'p', 'm', '1', 0.1)))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode < 0
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5 + (suffix == ".csv")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sources=st.lists(st.text(st.characters(codec=None), max_size=20), max_size=5),
    suffix=st.sampled_from([".jsonl", ".csv", ".parquet"]),
)
def test_no_path_breaks_a_table(tmp_path: Path, sources: list[str], suffix: str) -> None:
    """Any text, and names that are not Unicode at all."""
    path = tmp_path / f"out{suffix}"
    odd = [*sources, os.fsdecode(b"caf\xe9.png")]
    write(path, [rejection(source) for source in odd])
    read: list[Any]
    if suffix == ".parquet":
        read = parquet.read_table(path)["path"].to_pylist()
    elif suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            read = [row["path"] for row in csv.DictReader(file)]
    else:
        text = path.read_text(encoding="utf-8")
        read = [json.loads(line)["path"] for line in text.split("\n") if line]
    assert read == [to_row(rejection(source))["path"] for source in odd]
    assert read[-1] == r"caf\udce9.png"


def test_json_is_strict() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(to_row(finding(probability=float("nan"))))


@pytest.mark.parametrize("name", ["out.txt", "out", "out.jsonl.gz", ".csv"])
def test_another_suffix_fails_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(LungflagError, match=r"a table ends in \.jsonl, \.csv or \.parquet"):
        open_table(tmp_path / name)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_place_that_cannot_be_written_fails_on_entering(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / f"out{suffix}"
    with pytest.raises(LungflagError, match=r"out\.\w+: cannot be written"), open_table(path):
        pass
    (tmp_path / f"taken{suffix}").mkdir()
    with (
        pytest.raises(LungflagError, match="cannot be written"),
        open_table(tmp_path / f"taken{suffix}"),
    ):
        pass


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_full_disk_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(LungflagError, match=r"out\.\w+: cannot be written \(.*No space left"):
        write(path, [finding()])


def test_parquet_names_its_extra_before_the_run(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pyarrow':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from lungflag.errors import MissingExtraError\n"
        "from lungflag.outputs.table import open_table\n"
        "open_table('out.csv')\n"
        "try:\n"
        "    open_table('out.parquet')\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "a .parquet table needs an extra: pip install 'lungflag[evidence]'" in done.stdout
    assert list(tmp_path.iterdir()) == []
