from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from lungflag.cli import _detect_tables as tables
from lungflag.cli import main
from lungflag.phantom import make_phantom, to_dicom
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from lungflag.outputs.table import Row
    from lungflag.package import ModelPackage


@dataclass
class Run:
    code: int
    out: str
    err: str


class Lungflag:
    """Runs the command in this process, with the tiny package, through its real entry."""

    def __init__(
        self,
        model: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.model, self._monkeypatch, self._capsys = model, monkeypatch, capsys

    def __call__(self, *arguments: str | Path) -> Run:
        command = ["lungflag", "detect", *map(str, arguments), "--model", str(self.model)]
        self._monkeypatch.setattr(sys, "argv", command)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Run(code, *self._capsys.readouterr())


@pytest.fixture
def lungflag(
    tiny_package: ModelPackage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Lungflag:
    assert tiny_package.folder is not None
    return Lungflag(tiny_package.folder, monkeypatch, capsys)


def film(path: Path, seed: int = 0) -> Path:
    """Save a smooth grey film."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(coarse).resize((70, 90), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four films, an empty file, a text file and what is left out."""
    root = tmp_path / "in"
    for n, name in enumerate(["a.png", "sub/a.png", "sub/deep/c.bmp", "z [bold]:smile:.png"]):
        film(root / name, n)
    (root / "empty.dcm").touch()
    (root / "sub" / "note.txt").write_text("hello", encoding="utf-8")
    film(root / ".hidden.png")
    film(root / ".cache" / "a.png")
    (root / "DICOMDIR").write_bytes(b"index")
    return root


NAMES = [
    "a.png",
    "empty.dcm",
    "z [bold]:smile:.png",
    "sub/a.png",
    "sub/note.txt",
    "sub/deep/c.bmp",
]


def test_a_folder_gives_a_row_for_every_file(lungflag: Lungflag, folder: Path) -> None:
    table = folder.parent / "out.jsonl"
    run = lungflag(folder, "--table", table)
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    assert [row["path"] for row in rows] == [str(folder / name) for name in NAMES]
    assert [row["outcome"] for row in rows].count("rejection") == 2
    assert {row["path"]: row["reason"] is not None for row in rows} == {
        str(folder / name): name.endswith((".dcm", ".txt")) for name in NAMES
    }
    assert run.code == 1
    assert "6 inputs:" in run.err
    assert "2 rejected (" in run.err


def test_a_pipe_gets_lines_of_four_cells(lungflag: Lungflag, folder: Path) -> None:
    run = lungflag(folder)
    lines = [line.split("\t") for line in run.out.splitlines()]
    assert [line[2] for line in lines] == [str(folder / name) for name in NAMES]
    for verdict, probability, _, reason in lines:
        if verdict == "rejected":
            assert (probability, bool(reason)) == ("", True)
        else:
            assert verdict == ("FLAGGED" if float(probability) >= 0.5 else "not flagged")


def test_a_mark_stands_in_the_pipe_the_table_and_the_summary(
    lungflag: Lungflag, tmp_path: Path
) -> None:
    path = tmp_path / "film.dcm"
    dataset = to_dicom(make_phantom(1, pneumonia=False, size=64))
    dataset.PatientAge = "004Y"
    dataset.InstitutionName = "Elsewhere"
    dataset.save_as(path)
    run = lungflag(path, "--age-group", "adult", "--table", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (row["outcome"], row["age_group"], row["code"]) == ("finding", "child", None)
    first, second = row["marks"].split("; ", 1)
    assert first.startswith("outside validated use: hospital 'Elsewhere'")
    assert second.startswith("contradiction: asked for adult")
    assert run.out.rstrip("\n").split("\t")[3] == row["marks"]
    assert "1 marked, see the remarks" in run.err
    assert run.code == 0


def test_json_lines_are_what_the_table_holds(lungflag: Lungflag, folder: Path) -> None:
    table = folder.parent / "out.jsonl"
    run = lungflag(folder, "--json", "--table", table)
    assert run.out == table.read_text(encoding="utf-8")
    assert len(run.out.splitlines()) == len(NAMES)


def test_good_films_alone_end_with_zero(lungflag: Lungflag, tmp_path: Path) -> None:
    run = lungflag(film(tmp_path / "a.png"), film(tmp_path / "b.png", 1), "--quiet")
    assert run.code == 0
    assert run.err == ""
    assert run.out.startswith("2 inputs: ")
    assert run.out.count("\n") == 1


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_missing_path_is_a_row_too(lungflag: Lungflag, tmp_path: Path, jobs: str) -> None:
    good, missing = film(tmp_path / "a.png"), tmp_path / "missing.png"
    run = lungflag(missing, good, "--json", "--jobs", jobs)
    first, second = map(json.loads, run.out.splitlines())
    assert run.code == 1
    assert (first["path"], first["outcome"]) == (str(missing), "rejection")
    assert (second["path"], second["outcome"]) == (str(good), "finding")


def test_the_three_tables_agree(lungflag: Lungflag, folder: Path) -> None:
    out = folder.parent
    for suffix in ("jsonl", "csv", "parquet"):
        lungflag(folder, "--table", out / f"t.{suffix}", "--quiet")
    lines = (out / "t.jsonl").read_text(encoding="utf-8").splitlines()
    want = [(row["path"], row["probability"], row["flagged"]) for row in map(json.loads, lines)]
    rows = parquet.read_table(out / "t.parquet").to_pylist()
    assert [(row["path"], row["probability"], row["flagged"]) for row in rows] == want
    with (out / "t.csv").open(encoding="utf-8", newline="") as file:
        cells = [(row["path"], row["probability"], row["flagged"]) for row in csv.DictReader(file)]
    assert cells == [
        (path, "" if p is None else repr(p), "" if flagged is None else str(flagged).lower())
        for path, p, flagged in want
    ]


def test_every_finding_gets_its_own_overlay(lungflag: Lungflag, folder: Path) -> None:
    overlays = folder / "overlays"
    first = lungflag(folder, "--overlays", overlays, "--jobs", "3")
    names = sorted(path.name for path in overlays.iterdir())
    assert len(names) == 4
    assert sum(name.startswith("a.png-") for name in names) == 2
    # The command's own results inside the folder are no inputs of the next run.
    table = folder / "out.csv"
    table.write_text("x", encoding="utf-8")
    again = lungflag(folder, "--overlays", overlays, "--table", table, "--jobs", "1")
    assert again.out == first.out
    assert sorted(path.name for path in overlays.iterdir()) == names


def test_an_overlay_that_fails_loses_no_row(
    lungflag: Lungflag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lungflag.outputs import overlay

    draw = overlay.draw_overlay

    def faulty(*arguments: object) -> object:
        if "bad" in arguments[0].source:  # type: ignore[attr-defined]
            raise MemoryError("too large")
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(overlay, "draw_overlay", faulty)
    good, bad = film(tmp_path / "good.png"), film(tmp_path / "bad.png")
    run = lungflag(bad, good, "--overlays", tmp_path / "overlays")
    assert run.code == 1
    assert len(run.out.splitlines()) == 2
    assert "rejected" not in run.out
    assert "1 outputs not written; the first: " in run.err
    assert "bad.png: too large" in run.err
    assert len(list((tmp_path / "overlays").iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--operating-point", "no"], "no operating point 'no'; it has triage, balanced"),
        (["--table", "out.txt"], "out.txt: a table ends in .jsonl, .csv or .parquet"),
        (["--table", "a.png/out.csv"], "out.csv: cannot be written"),
        (["--overlays", "a.png"], "a.png: cannot be written"),
    ],
)
def test_an_unusable_command_ends_with_two_and_one_line(
    lungflag: Lungflag,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = lungflag(film(tmp_path / "a.png"), *options)
    assert (run.code, run.out) == (2, "")
    assert message in run.err
    assert run.err.count("\n") == 1


def test_nothing_to_judge_ends_with_two(lungflag: Lungflag, tmp_path: Path) -> None:
    assert lungflag().code == 2
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    run = lungflag(tmp_path / "empty")
    assert (run.code, run.out) == (2, "")
    assert run.err == f"error: {tmp_path / 'empty'}: the folder holds no file to judge\n"


def test_a_tampered_package_judges_nothing(lungflag: Lungflag, tmp_path: Path) -> None:
    with (lungflag.model / "model.onnx").open("ab") as file:
        file.write(b"\0")
    run = lungflag(film(tmp_path / "a.png"))
    assert (run.code, run.out) == (2, "")
    assert "model.onnx: differs from the hash recorded for it" in run.err


def test_an_interrupt_keeps_the_rows_so_far(
    lungflag: Lungflag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: Path, **options: object) -> object:
        if source.name == "second.png":
            raise KeyboardInterrupt
        return read_radiograph(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("lungflag.detector.read_radiograph", interrupted)
    inputs = [film(tmp_path / f"{name}.png") for name in ("first", "second", "third")]
    run = lungflag(*inputs, "--table", tmp_path / "out.csv", "--jobs", "1")
    assert run.code == 130
    assert "interrupted after 1 of 3 inputs" in run.err
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_the_command_loads_no_torch_and_needs_no_extra(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from lungflag.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    extras = {'torch', 'pyarrow', 'scipy', 'sklearn', 'matplotlib', 'onnx'}\n"
        "    print(sorted(extras & set(sys.modules)), file=sys.stderr)\n"
    )
    arguments = ["detect", film(tmp_path / "a.png"), "--model", tiny_package.folder]
    overlays = ["--table", tmp_path / "o.csv", "--overlays", tmp_path / "overlays"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, (*arguments, *overlays))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def _row(path: str, *, flagged: bool | None, reason: str | None = None) -> Row:
    return {
        "path": path, "flagged": flagged, "reason": reason, "probability": 0.25, "marks": None
    }  # fmt: skip


def test_a_long_run_shows_flagged_and_rejected_first() -> None:
    tally = tables.Tally()
    for n in range(1000):
        kind = {0: True, 1: None}.get(n % 10, False)
        tally.add(_row(str(n), flagged=kind, reason="broken" if kind is None else None))
    shown = tally.shown()
    assert len(shown) <= tables.WHOLE
    assert [tables.verdict(row) for row in shown] == ["FLAGGED"] * 25 + ["rejected"] * 25
    assert shown[0]["path"] == "0"
    summary = tally.summary(10.0)
    assert summary == (
        "1000 inputs: 100 flagged, 800 not flagged, 100 rejected (broken: 100); 100.0 images/s"
    )


def test_a_short_run_is_shown_in_order() -> None:
    tally = tables.Tally()
    for n in range(tables.WHOLE):
        tally.add(_row(str(n), flagged=(True, False, None)[n % 3], reason=f"reason {n}"))
    assert [row["path"] for row in tally.shown()] == [str(n) for n in range(tables.WHOLE)]
    assert "; other reasons: " in tally.summary(1.0)


@pytest.mark.parametrize(
    ("path", "room", "text"),
    [
        ("a/b.png", 20, "a/b.png"),
        ("a/very/long/path/b.png", 10, "…ath/b.png"),
        ("王王王王王.png", 9, "…王王.png"),
        ("evil\x1b[2J\nname.png", 40, "evil�[2J�name.png"),
    ],
)
def test_long_paths_lose_their_beginning(path: str, room: int, text: str) -> None:
    assert tables.shorten(path, room) == text


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_a_terminal_gets_a_table(tiny_package: ModelPackage, folder: Path, columns: str) -> None:
    """Through a pseudo-terminal, as a person sees it."""
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "lungflag", "detect", str(folder)]
    process = subprocess.Popen(
        [*command, "--model", str(tiny_package.folder), "--jobs", "1"],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": columns, "TERM": "xterm-256color"},
    )
    os.close(follower)
    chunks: list[bytes] = []

    def drain() -> None:
        try:
            while chunk := os.read(leader, 4096):
                chunks.append(chunk)
        except OSError:  # Linux's way to say that the other end is closed
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    assert process.wait(120) == 1
    reader.join(30)
    os.close(leader)
    text = b"".join(chunks).decode()
    assert "FLAGGED" in text or "not flagged" in text
    assert "deep/c.bmp" in text
    assert "z [bold]:smile:.png" in text
    assert "is empty" in text
    assert "6 inputs: " in text
    assert "\x1b[33mrejected" in text


@pytest.mark.shared
@pytest.mark.slow
def test_two_hundred_real_films_give_two_hundred_rows(
    lungflag: Lungflag, shared: Path, tmp_path: Path
) -> None:
    table = tmp_path / "out.jsonl"
    run = lungflag(shared / "data" / "originals", "--table", table, "--quiet")
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    assert run.code == 0
    assert len(rows) == 200
    assert {row["outcome"] for row in rows} == {"finding"}
