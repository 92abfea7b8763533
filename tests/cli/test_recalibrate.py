from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.package import ModelPackage
from tests.cli.commands import Command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(("recalibrate",), monkeypatch, capsys)


@pytest.fixture
def folder(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A site whose films are brighter than the package expects: 24 patients, and 2 test films."""
    rng = np.random.default_rng(0)
    lines = ["path,label,patient,split"]
    for i in range(26):
        positive = i % 2 == 0
        bright = rng.uniform(0.6, 0.9) if positive else rng.uniform(0.45, 0.7)
        pixels = np.zeros((64, 64), dtype=np.uint8)
        pixels[: round(64 * bright)] = 255
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        label = "pneumonia" if positive else "normal"
        lines.append(f"{i}.png,{label},p{i},{'tune' if i < 24 else 'test'}")
    manifest = tmp_path / "site.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def test_a_site_gets_its_package_a_picture_and_a_warning(
    command: Command, folder: Path, data: Path, tmp_path: Path
) -> None:
    out, figure = tmp_path / "derived", tmp_path / "new" / "reliability.png"
    ran = command(folder, data, "--out", out, "--name", "tiny-ward", "--figure", figure)
    assert ran.code == 1, ran  # 24 patients are too few, and it says so
    for text in (
        "tiny 1.2.0 -> tiny-ward 1.2.0",
        "24 images of 24 patients (12 normal, 12 pneumonia)",
        "5-fold by patient",
        "rule-in",
        "203 patients with pneumonia",
        "WARNING          too small a sample: sensitivity 0.98",
    ):
        assert text in ran.out, text
    assert ran.err == ""
    derived, source = ModelPackage.read(out), ModelPackage.read(folder)
    assert derived.name == "tiny-ward"
    assert derived.graph_bytes() == source.graph_bytes()
    assert derived.calibration != source.calibration
    record = derived.provenance["derived_from"]
    assert (record["data"], record["split"]) == ("site.csv", "tune")
    assert record["digest"] == source.digest
    assert "**Derived** from tiny 1.2.0" in derived.card()
    assert "## Recalibrated at a site" in derived.card()
    with Image.open(figure) as picture:
        assert picture.format == "PNG"


def test_rejected_images_are_counted_and_left_out(
    command: Command, folder: Path, data: Path, tmp_path: Path
) -> None:
    (data.parent / "3.png").write_bytes(b"no picture")
    ran = command(folder, data, "--out", tmp_path / "derived")
    assert ran.code == 1
    assert "rejected         1; the first, " in ran.out
    record = ModelPackage.read(tmp_path / "derived").provenance["derived_from"]
    assert record["images"] == {"normal": 11, "pneumonia": 12, "rejected": 1}


def test_one_label_alone_is_refused_in_one_line(
    command: Command, folder: Path, data: Path, tmp_path: Path
) -> None:
    text = data.read_text(encoding="utf-8").replace(",pneumonia,", ",normal,")
    data.write_text(text, encoding="utf-8")
    ran = command(folder, data, "--out", tmp_path / "derived")
    assert ran.code == 2
    assert "no judged image is labelled pneumonia: both labels are needed" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "derived").exists()


def test_images_that_a_model_may_have_learned_from_are_pointed_out(
    command: Command, folder: Path, data: Path, tmp_path: Path
) -> None:
    text = data.read_text(encoding="utf-8").replace(",tune", ",train")
    data.write_text(text, encoding="utf-8")
    ran = command(folder, data, "--out", tmp_path / "derived", "--split", "train")
    assert ran.code == 1
    assert "24 images are of the split 'train'" in ran.out
    derived = ModelPackage.read(tmp_path / "derived")
    assert derived.name == "tiny-site"
    assert any("split 'train'" in text for text in derived.provenance["derived_from"]["warnings"])
