from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from lungflag import package as room
from lungflag.cli import main
from lungflag.detector import DEFAULT_MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages import PackageMaker


@pytest.fixture
def shipped(tmp_path: Path, make_package: PackageMaker, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two packages in the place of the shipped ones."""
    data = {
        "name": "Guangzhou [paediatric]",
        "licence": "CC BY 4.0",
        "citation": "Kermany et al.",
        "images": 5216,
        "patients": 2846,
    }
    make_package(tmp_path / "models" / DEFAULT_MODEL, name=DEFAULT_MODEL, training_data=(data,))
    make_package(tmp_path / "models" / "other", name="other", version="0.2")
    monkeypatch.setattr(room, "SHIPPED", tmp_path / "models")
    return tmp_path / "models"


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["lungflag", "models", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    return code, *capsys.readouterr()


@pytest.mark.usefixtures("shipped")
def test_the_list_says_what_a_buyer_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys)
    assert code == 0
    first, second = " ".join(out.split()).split("other 0.2")  # however narrow the terminal
    assert first.startswith("guangzhou 1.2.0, 0.0 MB (default)")
    assert "(default)" not in second
    for part in (
        "operating point triage",
        "operating point balanced, default",
        "sensitivity 0.900, specificity 0.910 on 120 images at threshold 0.500",
        "largest Youden index",
        "Guangzhou [paediatric]: 5,216 images of 2,846 patients; CC BY 4.0",
    ):
        assert part in first


def test_a_name_shows_the_card(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = "# tiny\n\nFor tests.\n"
    assert run(monkeypatch, capsys, "other") == (0, card, "")
    assert run(monkeypatch, capsys, str(shipped / "other")) == (0, card, "")


@pytest.mark.usefixtures("shipped")
def test_an_unknown_name_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, "nosuch")
    assert (code, out) == (2, "")
    assert "nosuch: no model package of that name" in err
    assert "shipped: guangzhou, other" in err


def test_a_tampered_package_is_named(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shipped / "other" / "README.md").write_text("nicer", encoding="utf-8")
    code, _, err = run(monkeypatch, capsys)
    assert code == 2
    assert "README.md: differs from the hash recorded for it" in err


def test_an_install_without_packages_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "SHIPPED", tmp_path)
    assert run(monkeypatch, capsys)[:2] == (0, "no model packages are shipped with this install\n")
