"""`lungflag ensemble`, whole: two trainings in, one package out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungflag.detector import Detector
from lungflag.package import ModelPackage
from lungflag.radiograph import read_radiograph
from tests.cli.commands import Command
from tests.cli.test_train import SMALL, phantoms

__all__ = ["phantoms"]


@pytest.mark.slow
def test_two_networks_answer_together(
    phantoms: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = Command(("train",), monkeypatch, capsys)
    ensemble = Command(("ensemble",), monkeypatch, capsys)
    split = Command(("data", "split"), monkeypatch, capsys)
    assert split(phantoms, "--out", "split.csv", "--tune", 0.3).code == 0
    assert train("split.csv", "--out", "one", *SMALL).code == 0
    assert train("split.csv", "--out", "two", *SMALL, "--seed", 2).code == 0
    made = ensemble("split.csv", "one.run", "two.run", "--out", "both", "--quiet")
    assert made.code == 0, made.err
    package = ModelPackage.read(Path("both"))
    assert package.provenance["recipe"]["seed"] == [1, 2]
    assert package.provenance["recipe"]["image_size"] == 64
    assert package.provenance["parity"]["largest_logit_difference"] < 1e-3

    film = package.preprocess(read_radiograph(next(phantoms.glob("*.png"))).pixels)[None, None]
    one, two, both = (Detector.load(name).infer(film) for name in ("one", "two", "both"))
    for part in (0, 1):  # logit and map; each package rounds its weights by itself
        assert both[part] == pytest.approx((one[part] + two[part]) / 2, abs=1e-3)
    assert both[2] == pytest.approx(np.concatenate([one[2], two[2]], axis=1), abs=1e-3)
    weight = {name: (Path(name) / "model.onnx").stat().st_size for name in ("one", "both")}
    assert weight["both"] > 1.5 * weight["one"]


@pytest.mark.slow
def test_members_that_no_frame_fits_are_refused(
    phantoms: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = Command(("train",), monkeypatch, capsys)
    ensemble = Command(("ensemble",), monkeypatch, capsys)
    assert train(phantoms, "--out", "one", *SMALL).code == 0
    assert train(phantoms, "--out", "two", *SMALL, "--equalise").code == 0
    refused = ensemble(phantoms, "one.run", "two.run", "--out", "both", "--quiet")
    assert refused.code == 2
    assert "equalise" in refused.err
    missing = ensemble(phantoms, "one.run", "none.run", "--out", "both", "--quiet")
    assert missing.code == 2
    assert "none.run" in missing.err
