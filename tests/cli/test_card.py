from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lungflag.card import evidence_of
from lungflag.package import ModelPackage
from tests.card.evaluations import evaluation
from tests.cli.commands import Command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(("card",), monkeypatch, capsys)


@pytest.fixture
def folder(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


def test_the_card_is_shown_and_nothing_is_written(command: Command, folder: Path) -> None:
    before = (folder / "package.json").read_bytes()
    ran = command(folder)
    assert ran.code == 0, ran
    assert ran.out.startswith("# tiny 1.2.0\n")
    assert "## CLAIM 2024" in ran.out
    assert (folder / "package.json").read_bytes() == before
    assert (folder / "README.md").read_text(encoding="utf-8") == "# tiny\n\nFor tests.\n"


def test_it_is_written_into_the_package(command: Command, folder: Path) -> None:
    shown = command(folder).out
    ran = command(folder, "--write")
    assert ran.code == 0, ran
    assert "card of tiny 1.2.0 written" in ran.out
    assert ModelPackage.read(folder).card() == shown


def test_an_evaluation_and_a_failure_are_added(
    command: Command, folder: Path, tiny_package: ModelPackage, tmp_path: Path
) -> None:
    figures = evaluation(tiny_package, tmp_path / "figures.json")
    ran = command(
        folder, "--add", figures, "--name", "our ward", "--note", "Portable films.",
        "--failure", "It flags scoliosis.",
    )  # fmt: skip
    assert ran.code == 0, ran
    written = ModelPackage.read(folder)
    (found,) = evidence_of(written)
    assert (found.data, found.note) == ("our ward", "Portable films.")
    assert "### our ward, split test" in written.card()
    assert "- It flags scoliosis." in written.card()
    assert command(folder).out == written.card()


def test_what_cannot_be_is_one_line(command: Command, folder: Path, tmp_path: Path) -> None:
    for arguments, reason in (
        ((folder, "--add", tmp_path / "none.json"), "none.json: not what `lungflag evaluate"),
        ((folder, "--name", "x"), "--name goes with one --add"),
        ((folder, "--note", "x"), "--note goes with --add"),
        (("nowhere",), "nowhere: no model package"),
    ):
        ran = command(*arguments)
        assert ran.code == 2
        assert reason in ran.err
        assert len(ran.err.splitlines()) == 1
