"""The packages in the wheel: small, whole, and doing on images what their cards say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from lungflag.detector import DEFAULT_MODEL, Detector
from lungflag.outcome import Finding
from lungflag.package import ModelPackage, find_package, shipped_packages
from lungflag.phantom import make_phantom
from lungflag.radiograph import Radiograph

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 2**20


def test_two_packages_ship_and_are_small() -> None:
    assert shipped_packages() == ("guangzhou", "phantom")
    assert DEFAULT_MODEL == "guangzhou"
    sizes = {
        name: sum(file.stat().st_size for file in find_package(name).iterdir())
        for name in shipped_packages()
    }
    assert sizes["guangzhou"] < 15 * MEGABYTE
    assert sizes["phantom"] < 2 * MEGABYTE


@pytest.mark.parametrize("name", ["guangzhou", "phantom"])
def test_provenance_is_complete(name: str) -> None:
    package = ModelPackage.read(find_package(name))
    assert {"triage", "balanced", "rule-in"} == {p.name for p in package.operating_points}
    assert package.provenance["parity"]["largest_logit_difference"] < 1e-3
    assert package.provenance["recipe"]["patience"] == 0  # no held-out image chose the epoch
    assert all(data["licence"] != "not stated" for data in package.training_data)
    assert "Known failures and limits" in package.card()


def test_the_real_detector_knows_two_hospitals_and_has_a_gate() -> None:
    package = ModelPackage.read(find_package("guangzhou"))
    assert {data["name"] for data in package.training_data} == {"guangzhou", "nih_adults"}
    assert package.gate is not None
    assert {p.age_group for p in package.operating_points} == {"", "child", "adult"}


def test_parity_of_the_real_detector_was_measured_on_enough_images() -> None:
    package = ModelPackage.read(find_package("guangzhou"))
    assert package.provenance["parity"]["images"] >= 200


@pytest.mark.slow
def test_the_phantom_package_knows_new_phantoms() -> None:
    """Seeds far from those it was trained on (1001 to 2200)."""
    detector = Detector.load("phantom")
    phantoms = [make_phantom(seed, pneumonia=seed % 2 == 1, size=256) for seed in range(60)]
    findings = [detector.detect(Radiograph(p.pixels, f"seed {p.seed}")) for p in phantoms]
    labels = [p.label == "pneumonia" for p in phantoms]
    assert roc_auc_score(labels, [f.probability for f in findings]) > 0.8
    # Pointing game (Zhang et al., ECCV 2016): the map's peak lies within the known consolidation.
    hits = [
        bool(phantom.mask[_peak(finding, phantom.mask.shape)])
        for phantom, finding in zip(phantoms, findings, strict=True)
        if phantom.label == "pneumonia" and finding.flagged
    ]
    assert np.mean(hits) > 0.8


def _peak(finding: Finding, shape: tuple[int, ...]) -> tuple[int, ...]:
    rows, columns = shape
    image = Image.fromarray(finding.heatmap).resize((columns, rows), Image.Resampling.BICUBIC)
    return tuple(int(i) for i in np.unravel_index(np.asarray(image).argmax(), shape))


@pytest.mark.slow
@pytest.mark.shared
def test_the_real_detector_on_full_resolution_films(shared: Path) -> None:
    """Mostly films that it was trained on in a smaller version: a check of the way in, no proof."""
    films = sorted((shared / "data" / "originals").rglob("*.jpeg"))
    outcomes = list(Detector.load("guangzhou", threads=1).detect_many(films, jobs=2))
    assert all(isinstance(outcome, Finding) for outcome in outcomes)
    flagged = np.array([isinstance(o, Finding) and o.flagged for o in outcomes])
    positive = np.array(["PNEUMONIA" in str(film) for film in films])
    assert flagged[positive].mean() >= 0.95
    assert flagged[~positive].mean() <= 0.15
