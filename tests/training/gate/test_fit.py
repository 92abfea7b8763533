"""A gate of drawn chests, from examples to a model package that uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from lungflag.detector import Detector
from lungflag.errors import PackageFormatError, QualityError, TrainingError
from lungflag.quality.settings import KINDS
from lungflag.radiograph import Radiograph
from lungflag.training.gate import load_gate, save_gate
from lungflag.training.gate.examples import LOOK, from_films, from_pictures, join, see
from lungflag.training.gate.fit import distances, fit_distance, fit_head, kinds
from lungflag.training.gate.network import Gate, Stem, to_onnx
from lungflag.training.gate.thresholds import set_thresholds
from tests.packages import TINY_GATE
from tests.training.gate.films import chest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packages import PackageMaker


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.safetensors: no such weights file"):
        Stem(tmp_path / "none.safetensors")


def test_a_folder_without_a_gate_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageFormatError, match="no fitted gate"):
        load_gate(tmp_path)
    save_gate(tmp_path / "deep" / "gate", TINY_GATE, b"graph")
    assert load_gate(tmp_path / "deep" / "gate") == (TINY_GATE, b"graph")
    (tmp_path / "deep" / "gate" / "gate.json").write_text('{"size": 8}', encoding="utf-8")
    with pytest.raises(PackageFormatError, match="GateSettings lacks"):
        load_gate(tmp_path / "deep" / "gate")


def test_films_of_a_hospital_are_near_and_others_far() -> None:
    rng = np.random.default_rng(0)
    here = rng.normal(0, 1, (200, 60)).astype(np.float32)
    there = rng.normal(0, 1, (200, 60)).astype(np.float32) * 0.5 + 9
    centres, whiten = fit_distance([here[:120], there[:120]], [here[120:160], there[120:160]])
    for known in (here, there):
        assert (distances(known[120:160], centres, whiten) > 1).sum() == 1  # 2.5% of 40
        assert distances(known[160:], centres, whiten).max() < 1.3
    assert distances(here[160:] + 4, centres, whiten).min() > 1.5


@pytest.mark.slow
@pytest.mark.shared
def test_a_fitted_gate_keeps_a_detector_from_what_it_may_not_judge(
    shared: Path, tmp_path: Path, make_package: PackageMaker
) -> None:
    stem = Stem(shared / "weights" / "mobilenetv2_100_imagenet.safetensors")
    rng = np.random.default_rng(4)
    wanted = dict.fromkeys(KINDS, 3.0)
    noise = [rng.integers(0, 256, (224, 224), dtype=np.uint8) for _ in range(40)]
    examples = join(
        [
            see(stem, from_films(map(chest, range(60)), "drawn", wanted, rng)),
            see(stem, from_pictures(noise, "noise", "other", 1, rng)),
        ]
    )
    plain = see(stem, ((chest(n), "frontal", "drawn/plain") for n in range(100, 160)))
    heads = [fit_head(examples, seed=seed) for seed in (1, 2)]
    centres, whiten = fit_distance([plain.statistics[:40]], [plain.statistics[40:]])
    settings = set_thresholds(kinds(heads, plain)[:, 0], LOOK)
    gate = Gate(stem, heads, centres, whiten)
    graph = to_onnx(gate)
    make_package(tmp_path / "p", gate=settings, gate_graph=graph)
    detector = Detector.load(tmp_path / "p", threads=1)
    assert detector.gate is not None

    batch = np.stack([LOOK(chest(n).astype(np.float32)) for n in range(5)])[:, None]
    with torch.inference_mode():
        kind, far = gate(torch.from_numpy(batch))
    told = detector.gate.infer(batch)
    np.testing.assert_allclose(told[0], kind.numpy(), atol=1e-4)
    np.testing.assert_allclose(told[1], far.numpy(), rtol=1e-3)

    def judged(picture: np.ndarray) -> str:
        try:
            detector.detect(Radiograph(picture.astype(np.float32) / np.float32(255), "film"))
        except QualityError as error:
            return error.code
        return "judged"

    unseen = [chest(n) for n in range(500, 520)]
    assert [judged(film) for film in unseen].count("judged") >= 19
    assert [judged(255 - film) for film in unseen].count("judged") <= 1
    assert [judged(np.rot90(film, 2)) for film in unseen].count("judged") <= 1
    assert judged(rng.integers(0, 256, (224, 224)).astype(np.uint8)) != "judged"
