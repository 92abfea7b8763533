from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.calibration import Calibration, OperatingPoint
from lungflag.evaluation.recalibration import Recalibration, Scores, derive, recalibrate
from lungflag.evaluation.recalibration.picture import draw_reliability
from tests.evaluation.recalibration.sites import site

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.package import ModelPackage
    from tests.packages import PackageMaker

overconfident = partial(site, scale=3.0, shift=4.0)


@pytest.fixture
def package(tmp_path: Path, make_package: PackageMaker) -> ModelPackage:
    """A package that takes the logits at their word."""
    return make_package(
        tmp_path / "tiny",
        calibration=Calibration(),
        operating_points=(
            OperatingPoint("triage", 0.3, "by hand", 0.98, 0.8, 120),
            OperatingPoint("own", 0.5, "by hand", 0.9, 0.9, 120),
        ),
        default_operating_point="triage",
        provenance={"recipe": "by hand", "evidence": [{"data": "elsewhere"}]},
    )


def run(package: ModelPackage, scores: Scores) -> Recalibration:
    return recalibrate(package, scores, resamples=100)


def low(value: float | None) -> float:
    assert value is not None
    return value


def test_a_large_site_gets_honest_probabilities_and_thresholds_that_keep_their_rules(
    package: ModelPackage,
) -> None:
    found = run(package, overconfident(2500))
    before, after = found.before.reliability, found.after.reliability
    assert found.calibration.slope == pytest.approx(1 / 3, rel=0.1)
    assert found.calibration.intercept == pytest.approx(-4 / 3, rel=0.2)
    assert low(before.slope.value) == pytest.approx(1 / 3, rel=0.1)
    assert low(after.slope.low) < 1 < low(after.slope.high)
    assert low(after.intercept.low) < 0 < low(after.intercept.high)
    assert low(after.calibration_error.value) < low(before.calibration_error.value) / 2
    assert low(found.after.brier.value) < low(found.before.brier.value)
    assert found.folds == 5
    assert set(found.before.points) == {"triage", "own"}
    assert set(found.after.points) == {"triage", "balanced", "rule-in"}
    # Out of fold, on patients that set no threshold.
    assert low(found.after.points["triage"].sensitivity.value) == pytest.approx(0.98, abs=0.01)
    assert low(found.after.points["rule-in"].specificity.value) == pytest.approx(0.98, abs=0.01)
    assert all(need.met for need in found.needs)
    assert found.warnings == ()


def test_a_fit_on_other_patients_is_not_flattered_by_repeats(package: ModelPackage) -> None:
    """Labels drawn at random: out of fold no threshold keeps both rules, whatever is fitted."""
    rng = np.random.default_rng(1)
    patient = np.repeat(np.arange(60), 5)
    scores = Scores(rng.normal(size=60)[patient], (rng.random(60) < 0.5)[patient], patient)
    found = run(package, scores)
    assert low(found.after.brier.value) > 0.24
    triage = found.after.points["triage"]
    assert low(triage.sensitivity.value) + low(triage.specificity.value) < 1.15


def test_a_small_site_is_told_so_and_how_many_it_needs(package: ModelPackage) -> None:
    found = run(package, overconfident(30, images=2.0))
    assert {need.unit for need in found.needs} == {
        "patients with pneumonia",
        "patients without",
        "patients",
    }
    assert any(
        "sensitivity 0.98 with a lower 95% limit of 0.95 needs 203 patients with pneumonia" in text
        for text in found.warnings
    )


def test_one_patient_a_label_is_measured_on_itself_and_says_so(package: ModelPackage) -> None:
    scores = Scores(
        np.array([-2.0, -1.0, 3.0]), np.array([False, False, True]), np.array([0, 0, 1])
    )
    found = run(package, scores)
    assert found.folds == 0
    assert found.after.probability == pytest.approx(
        [found.calibration(float(x)) for x in scores.logit]
    )
    assert any(
        "could not be cross-validated" in text or "nothing could be" in text
        for text in found.warnings
    )


def test_a_useless_detector_is_not_made_useful(package: ModelPackage) -> None:
    rng = np.random.default_rng(5)
    scores = Scores(rng.normal(size=400), rng.random(400) < 0.5, np.arange(400))
    found = run(package, scores)
    assert any("no better than chance" in text for text in found.warnings)


def test_thresholds_for_age_groups_do_not_go_unsaid(
    tmp_path: Path, make_package: PackageMaker
) -> None:
    package = make_package(
        tmp_path / "ages",
        operating_points=(
            OperatingPoint("triage", 0.3, "by hand", 0.98, 0.8, 120),
            OperatingPoint("triage", 0.2, "by hand", 0.98, 0.8, 60, age_group="adult"),
        ),
        default_operating_point="triage",
    )
    found = run(package, site(60))
    assert list(found.before.points) == ["triage"]
    assert any("age groups" in text for text in found.warnings)


def test_the_derived_package_keeps_the_network_and_says_where_it_comes_from(
    package: ModelPackage, tmp_path: Path
) -> None:
    scores = overconfident(300)
    found = run(package, scores)
    facts = {"date": "2026-01-02", "data": "site.csv", "split": "tune", "rejected": 3}
    derived = derive(package, found, scores, name="tiny-site", **facts)  # type: ignore[arg-type]
    written = derived.write(tmp_path / "new", graph=package.graph_bytes(), card="# derived\n")
    assert written.name == "tiny-site"
    assert written.version == package.version
    assert written.graph_bytes() == package.graph_bytes()
    assert written.preprocess == package.preprocess
    assert written.calibration == found.calibration
    assert {point.name: point.threshold for point in written.operating_points} == {
        name: point.threshold for name, point in found.after.points.items()
    }
    assert written.default_operating_point == "triage"
    assert "evidence" not in written.provenance
    record = written.provenance["derived_from"]
    assert record["digest"] == package.digest
    assert (record["data"], record["split"], record["date"]) == ("site.csv", "tune", "2026-01-02")
    assert record["images"] == {
        "normal": int((~scores.positive).sum()),
        "pneumonia": int(scores.positive.sum()),
        "rejected": 3,
    }
    assert record["patients"]["all"] == 300
    assert record["before"]["points"]["own"]["threshold"] == 0.5
    assert record["after"]["slope"]["value"] == found.after.reliability.slope.value
    assert json.dumps(record, allow_nan=False)


def test_the_picture_is_drawn(package: ModelPackage, tmp_path: Path) -> None:
    found = run(package, overconfident(80))
    path = tmp_path / "new" / "reliability.png"
    draw_reliability(
        {
            "before": (found.before.reliability, found.before.probability),
            "after": (found.after.reliability, found.after.probability),
        },
        path,
        title="A site",
    )
    with Image.open(path) as picture:
        assert picture.size == (900, 1020)
        assert len(picture.convert("RGB").getcolors(maxcolors=1 << 20) or ()) > 10
