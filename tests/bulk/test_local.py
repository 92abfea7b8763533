from __future__ import annotations

import json
import os
import random
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lungflag.outputs.table import COLUMNS
from tests.bulk.archives import archive, contents, film, kill, rows, shards, start
from tests.cli.commands import Command
from tests.service.waiting import until

if TYPE_CHECKING:
    from lungflag.package import ModelPackage


@pytest.fixture
def model(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


@pytest.fixture
def detect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> Command:
    return Command(("detect", "--model", str(model)), monkeypatch, capsys)


def test_the_table_says_what_plain_detect_says(detect: Command, tmp_path: Path) -> None:
    films = archive(tmp_path / "in", 23)
    plain, bulk = tmp_path / "plain.jsonl", tmp_path / "bulk.parquet"
    assert detect(films, "--table", plain, "--jobs", 2).code == 1
    ran = detect(films, "--engine", "local", "--table", bulk, "--batch", 8)
    assert ran.code == 1
    assert "23 inputs in" in ran.out
    assert "1 rejected (unreadable: 1)" in ran.out
    said = [json.loads(line) for line in plain.read_text(encoding="utf-8").splitlines()]
    for row in said:
        del row["seconds"]
    assert rows(bulk) == sorted(said, key=lambda row: str(row["path"]))
    assert list(rows(bulk)[0]) == [name for name in COLUMNS if name != "seconds"]
    assert [path.name for path in shards(bulk)] == [f"part-00000{n}.parquet" for n in range(3)]


def test_all_judged_ends_with_zero_and_resume_does_nothing_twice(
    detect: Command, tmp_path: Path
) -> None:
    film(tmp_path / "in" / "a.png", 1)
    table = tmp_path / "out"
    assert detect(tmp_path / "in", "--resume", "--table", table).code == 0
    before = shards(table)[0].stat()
    ran = detect(tmp_path / "in", "--resume", "--table", table)
    assert ran.code == 0
    assert "1 of 1 inputs are done" in ran.err
    assert shards(table)[0].stat() == before


def test_a_name_that_is_not_text_is_judged(detect: Command, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    film(tmp_path / "in" / "a.png", 1).rename(tmp_path / "in" / name)
    assert detect(tmp_path / "in", "--engine", "local", "--table", tmp_path / "out").code == 0
    assert rows(tmp_path / "out")[0]["path"].endswith("caf\\udce9.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--batch", "4"), "was begun with batch 3, not 4"),
        (("--operating-point", "triage"), "was begun with operating point 'balanced'"),
        (("--age-group", "adult"), "was begun with age group"),
        (("--model", "phantom"), "was begun with model 'tiny', not 'phantom'"),
        (("elsewhere",), "was begun with inputs"),
    ],
)
def test_another_command_does_not_go_on_with_the_table(
    detect: Command, tmp_path: Path, change: tuple[str, ...], message: str
) -> None:
    films, table = archive(tmp_path / "in", 12), tmp_path / "out"
    words = (films, "--table", table, "--batch", 3)
    assert detect(*words, "--engine", "local").code == 1
    before = contents(table)
    ran = detect(*words, "--resume", *change)
    assert ran.code == 2
    assert message in ran.err
    ran = detect(*words, "--engine", "local")
    assert ran.code == 2
    assert "--resume goes on with it" in ran.err
    assert contents(table) == before


def test_a_list_that_was_changed_is_refused(detect: Command, tmp_path: Path) -> None:
    films, table = archive(tmp_path / "in", 12), tmp_path / "out"
    assert detect(films, "--engine", "local", "--table", table).code == 1
    with (table / "_inputs.parquet").open("ab") as file:
        file.write(b"!")
    ran = detect(films, "--resume", "--table", table)
    assert ran.code == 2
    assert "was changed since the run began" in ran.err


def test_what_does_not_go_together_is_refused(detect: Command, tmp_path: Path) -> None:
    films, file = archive(tmp_path / "in", 12), tmp_path / "file.parquet"
    file.touch()
    for words, message in (
        ((films, "--engine", "local"), "need --table FOLDER"),
        ((films, "--resume", "--table", tmp_path / "out", "--json"), "do not go with --engine"),
        ((films, "--resume", "--table", file), "is a folder, and there is a file"),
        (("memory://films", "--table", file), "a URL needs --engine"),
        (
            (films, "--resume", "--table", tmp_path / "out", "--ray-address", "auto"),
            "goes with --engine ray",
        ),
    ):
        ran = detect(*words)
        assert ran.code == 2
        assert message in ran.err


def test_two_runs_do_not_write_one_table(model: Path, detect: Command, tmp_path: Path) -> None:
    films, table = archive(tmp_path / "in", 3000), tmp_path / "out"
    first = start(films, "--resume", "--table", table, "--batch", 16, model=model)
    until(lambda: shards(table), what="the first shard")
    ran = detect(films, "--resume", "--table", table, "--batch", 16)
    kill(first)
    assert ran.code == 2
    assert "another run is writing this table" in ran.err


def _has(table: Path, least: int) -> bool:
    return len(shards(table)) >= least


@pytest.mark.slow
def test_a_killed_run_goes_on_and_makes_the_same_table(model: Path, tmp_path: Path) -> None:
    films = archive(tmp_path / "in", 3000)
    words = (films, "--resume", "--batch", 16)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    start(*words, "--table", whole, model=model).communicate()
    chance = random.Random(6)
    for seen in sorted(chance.sample(range(2, 120), 2)):
        run = start(*words, "--table", broken, model=model)
        until(partial(_has, broken, seen), what=f"{seen} shards")
        kill(run)
        assert contents(broken).items() <= contents(whole).items()
        assert len(shards(broken)) < len(shards(whole))
        (broken / ".fresh-part-000187.parquet").write_bytes(b"half a shard")
    last = start(*words, "--table", broken, model=model)
    out, err = last.communicate()
    assert last.returncode == 1, err
    assert "3000 inputs in" in out
    assert contents(broken) == contents(whole)
    assert len({row["path"] for row in rows(broken)}) == 3000
    assert not list(broken.glob(".fresh*"))


@pytest.mark.slow
def test_an_interrupt_says_how_to_go_on(model: Path, tmp_path: Path) -> None:
    films, table = archive(tmp_path / "in", 3000), tmp_path / "out"
    words = (films, "--resume", "--table", table, "--batch", 16)
    run = start(*words, model=model)
    until(lambda: shards(table), what="the first shard")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "with --resume goes on" in err
    again = start(*words, model=model)
    again.communicate()
    assert len(rows(table)) == 3000
