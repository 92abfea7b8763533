"""`lungflag train`, whole: images in, a package that detects out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lungflag.data.manifest import Manifest, Row
from lungflag.detector import Detector
from lungflag.outcome import Finding
from lungflag.package import ModelPackage
from lungflag.phantom import make_phantom, write_png
from lungflag.radiograph import read_radiograph
from tests.cli.commands import Command

if TYPE_CHECKING:
    from pathlib import Path

SMALL = (
    *("--backbone", "test_efficientnet", "--weights", "none", "--image-size", "64"),
    *("--epochs", "2", "--batch-size", "8", "--precision", "32-true", "--quiet"),
)


@pytest.fixture
def phantoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    monkeypatch.chdir(tmp_path)  # the cache goes into the working folder
    make = Command(("data", "phantom"), monkeypatch, capsys)
    assert make(tmp_path / "set", "--n", 24, "--size", 128).code == 0
    return tmp_path / "set"


@pytest.mark.slow
def test_images_become_a_package_that_detects(
    phantoms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = Command(("train",), monkeypatch, capsys)
    broken = next(phantoms.glob("*.png"))
    broken.write_bytes(b"not an image")
    out = tmp_path / "package"
    first = train(phantoms, "--out", out, "--licence", "CC0", *SMALL)
    assert first.code == 0, first.err
    assert "tuning AUROC" in first.out
    assert f"left out: {broken}" in " ".join(first.err.split())
    package = ModelPackage.read(out)
    assert package.provenance["rejected_images"] == 1
    assert package.training_data[0]["licence"] == "CC0"
    assert package.provenance["parity"]["largest_logit_difference"] < 1e-3
    assert (tmp_path / "package.run" / "curves.png").exists()
    films = sorted(set(phantoms.glob("*.png")) - {broken})
    outcomes = list(Detector.load(out).detect_many(films))
    assert all(isinstance(outcome, Finding) for outcome in outcomes)

    # The same command again trains nothing anew and gives the same network.
    graph = (out / "model.onnx").read_bytes()
    assert train(phantoms, "--out", out, "--licence", "CC0", *SMALL).code == 0
    assert (out / "model.onnx").read_bytes() == graph

    # Another recipe does not walk into the folder of this one.
    refused = train(phantoms, "--out", out, *SMALL, "--seed", 2)
    assert refused.code == 2
    assert "--restart" in refused.err
    assert train(phantoms, "--out", out, *SMALL, "--seed", 2, "--restart").code == 0
    assert ModelPackage.read(out).provenance["recipe"]["seed"] == 2


@pytest.mark.slow
def test_two_hospitals_become_one_package_with_points_for_each_age_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = []
    for seed in range(160):
        ill, tune = seed % 2 == 1, seed >= 80
        file = tmp_path / f"{seed}.png"
        write_png(make_phantom(seed, pneumonia=ill, size=64), file)
        source, group, noise = ("near", "child", "") if seed % 4 < 2 else ("far", "adult", "0.1")
        extra = {"age_group": group, "label_noise": noise, "view": "AP"}
        label, split = "pneumonia" if ill else "normal", "tune" if tune else "train"
        rows.append(Row(file, label, str(seed), split, source, extra))
    Manifest(tuple(rows)).write(tmp_path / "both.csv")
    out = tmp_path / "package"
    trained = Command(("train",), monkeypatch, capsys)(
        *(tmp_path / "both.csv", "--out", out, *SMALL, "--view", "both", "--balance", 0.5),
        *("--equalise", "--style-mix", 0.5, "--opacities", 0.5, "--ages", 1, 85),
        *("--licence", "near=CC0", "--licence", "Apache-2.0"),
    )
    assert trained.code == 0, trained.err
    package = ModelPackage.read(out)
    assert package.preprocess.equalise
    assert {d["name"]: d["licence"] for d in package.training_data} == {
        "near": "CC0", "far": "Apache-2.0"
    }  # fmt: skip
    sizes = {(point.name, point.age_group): point.n for point in package.operating_points}
    assert sizes["triage", ""] == sizes["triage", "child"] == sizes["triage", "adult"] == 40
    assert package.validated.hospitals == ("far", "near")
    assert package.validated.ages == (1, 85)
    detector = Detector.load(out)
    finding = detector.detect(read_radiograph(rows[0].path))
    assert finding.heatmap.shape == (28, 28)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("--backbone", "mobilenetv9"), "no backbone 'mobilenetv9'"),
        (("--epochs", "0"), "epochs must be at least 1"),
        (("--view", "sideways"), "view 'sideways' is none of frame, lungs, both"),
        (("--opacities", "0.5"), "need the view lungs or both"),
        (("--balance", "2"), "balance must be between 0 and 1"),
        (("--weights", "nowhere.safetensors"), "no such weights file"),
    ],
)
def test_what_cannot_be_trained_ends_with_two_and_one_line(
    wrong: tuple[str, str],
    reason: str,
    phantoms: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = Command(("train",), monkeypatch, capsys)(phantoms, "--out", "package", *SMALL, *wrong)
    assert ran.code == 2
    assert reason in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert not (phantoms.parent / "package").exists()
