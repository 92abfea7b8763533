from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.cli.commands import Command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    return Command(("data", "audit"), monkeypatch, capsys)


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return class folders with train and val, without any leak."""
    root = tmp_path / "set"
    for split, start in (("train", 0), ("val", 100)):
        for n in range(6):
            draw(root / split / "NORMAL" / f"IM-{start + n:04}-0001.jpeg", start + n)
            sick = f"person{start + n}_{('bacteria', 'virus')[n % 2]}_{start + n}.jpeg"
            draw(root / split / "PNEUMONIA" / sick, start + n + 50)
    return root


def test_a_sound_set_ends_with_0(command: Command, data: Path) -> None:
    ran = command(data)
    assert ran.code == 0
    assert "24 images, 24 patients, 0 unreadable" in ran.out
    assert "bacteria" in ran.out
    assert "file size" in ran.out
    assert "No leak found between train and tune." in ran.out


def test_a_planted_copy_and_a_planted_patient_end_with_1(
    command: Command, data: Path, tmp_path: Path
) -> None:
    copied = (data / "train" / "NORMAL" / "IM-0003-0001.jpeg").read_bytes()
    (data / "val" / "NORMAL" / "IM-0777-0001.jpeg").write_bytes(copied)
    draw(data / "val" / "PNEUMONIA" / "person4_virus_999.jpeg", 999)
    ran = command(data, "--report", tmp_path / "report", "--jobs", 2)
    assert ran.code == 1
    assert "LEAK  1 patient on both sides of a split" in ran.out
    assert "person4: 1 in train, 1 in tune" in ran.out
    assert "LEAK  1 picture in more than one split (2 identical files)" in ran.out
    assert "IM-0777-0001.jpeg" in ran.out
    assert "Leak: " in ran.out
    found = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert len(found["exact_duplicates"]) == len(found["patient_overlaps"]) == 1
    for name in ("audit.html", "samples.png", "classes.png", "duplicates.png"):
        assert (tmp_path / "report" / name).stat().st_size > 1000


def test_an_unreadable_file_ends_with_1_and_is_named(command: Command, data: Path) -> None:
    (data / "train" / "NORMAL" / "[red]broken.jpeg").write_bytes(b"")
    ran = command(data)
    assert ran.code == 1
    assert "ERROR  1 unreadable file" in ran.out
    assert "train/NORMAL/[red]broken.jpeg" in ran.out
    assert "25 images" in ran.out


def test_no_data_ends_with_2_and_one_line(command: Command, tmp_path: Path) -> None:
    ran = command(tmp_path / "missing")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert "missing" in ran.err


def test_a_report_that_cannot_be_written_ends_with_2(
    command: Command, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = command(data, "--report", tmp_path / "file")
    assert ran.code == 2
    assert "cannot hold the report" in ran.err
