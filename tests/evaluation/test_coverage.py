"""A 95% interval holds the truth 93 to 97 times out of 100: simulated, at realistic sizes.

The short form allows for the chance of its few samples; `make proof` draws ten times as many.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from lungflag.evaluation import Cases, Estimate, calibration_error, estimate, reliability
from lungflag.evaluation.compare import Difference
from lungflag.evaluation.compare.difference import area_difference, decision_difference
from lungflag.evaluation.metrics import measure

FIGURES = (
    *("auroc", "auprc", "sensitivity", "specificity", "accuracy", "brier"),
    *("f1", "balanced_accuracy", "precision"),
)
DECISIONS = ("sensitivity", "specificity", "accuracy")


@dataclass(frozen=True)
class World:
    """Patients with several images each, and two index tests that err on much the same images.

    A test's score has standard deviation 1 in each class. `patient_shared` and `image_shared` of
    the variance are common to both tests, `patient_own` is one test's alone; the rest is noise.
    """

    patients: int
    images: float
    means: tuple[float, float]
    thresholds: tuple[float, float]
    mixed: float = 0.05  # share of images whose class is not their patient's
    patient_shared: float = 0.25
    patient_own: float = 0.1
    image_shared: float = 0.35

    def draw(self, rng: np.random.Generator, patients: int) -> tuple[Cases, Cases]:
        count = 1 + rng.poisson(self.images - 1, size=patients)
        patient = np.repeat(np.arange(patients), count)
        n = len(patient)
        positive = (rng.random(patients) < 0.6)[patient] ^ (rng.random(n) < self.mixed)
        common = np.sqrt(self.patient_shared) * rng.standard_normal(patients)[patient]
        common += np.sqrt(self.image_shared) * rng.standard_normal(n)
        rest = 1 - self.patient_shared - self.patient_own - self.image_shared
        drawn = []
        for mean, threshold in zip(self.means, self.thresholds, strict=True):
            score = mean * positive + common
            score += np.sqrt(self.patient_own) * rng.standard_normal(patients)[patient]
            score += np.sqrt(rest) * rng.standard_normal(n)
            drawn.append(Cases(positive, norm.cdf(score - threshold), score >= threshold, patient))
        return drawn[0], drawn[1]


WORLDS = {
    # Two good detectors on a hospital's test set: AUROC 0.995 and 0.985.
    "good": World(350, 1.7, (3.6, 3.05), (1.5, 1.4)),
    # A good one and one that is not: AUROC 0.99 and 0.87.
    "unequal": World(350, 1.7, (3.3, 1.6), (1.4, 0.8)),
    # Many images a patient that are much alike.
    "clustered": World(300, 3.0, (2.4, 2.2), (1.0, 1.0), 0.05, 0.35, 0.3, 0.1),
    # One image each: no clusters.
    "single": World(500, 1.0, (2.6, 2.3), (1.1, 1.1)),
}


def proof() -> bool:
    """Whether this run has the profile of `make proof`."""
    return settings().max_examples > 1000


def check(hits: dict[str, list[bool]]) -> None:
    """Fail where an interval holds the truth less than 93% or more than 97% of the time."""
    faults = {}
    for name, held in hits.items():
        n, times = len(held), sum(held)
        # What a true 93% or 97% would hardly ever give, over all the intervals of a run.
        low, high = binom.ppf(1e-3, n, 0.93), binom.ppf(1 - 1e-3, n, 0.97)
        if proof():
            low, high = 0.93 * n, 0.97 * n
        if not low <= times <= high:
            faults[name] = times / n
    assert not faults, faults


def holds(found: Estimate | Difference, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def simulate(world: World, repeats: int, seed: int) -> dict[str, list[bool]]:
    """Return by figure and difference whether each of `repeats` intervals held the truth."""
    rng = np.random.default_rng(seed)
    populations = world.draw(rng, 300_000)
    truths = [measure(one, np.ones((1, len(one)))) for one in populations]
    hits: dict[str, list[bool]] = defaultdict(list)
    for repeat in range(repeats):
        first, second = world.draw(rng, world.patients)
        found = [estimate(one, resamples=400, seed=repeat) for one in (first, second)]
        for place, estimates in enumerate(found):
            for name in FIGURES:
                hits[f"{name} {place + 1}"].append(
                    holds(estimates[name], float(truths[place][name][0]))
                )
        gaps = {"auroc": area_difference(first, second, (found[0]["auroc"], found[1]["auroc"]))}
        gaps |= {name: decision_difference(name, first, second) for name in DECISIONS}
        for name, gap in gaps.items():
            truth = float(truths[1][name][0] - truths[0][name][0])
            hits[f"{name} difference"].append(holds(gap, truth))
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_intervals_hold_the_truth(name: str) -> None:
    check(simulate(WORLDS[name], 3000 if proof() else 200, seed=2026))


@pytest.mark.slow
def test_intervals_of_calibration_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    hits: dict[str, list[bool]] = defaultdict(list)
    for repeat in range(2000 if proof() else 120):
        cases = calibrated(rng, 300)
        found = reliability(cases, resamples=400 if proof() else 250, seed=repeat)
        hits["slope"].append(holds(found.slope, 1.0))
        hits["intercept"].append(holds(found.intercept, 0.0))
    check(hits)


@pytest.mark.slow
@pytest.mark.parametrize("slope", [1.0, 0.6])
def test_interval_of_the_calibration_error_holds_the_truth_and_a_true_0(slope: float) -> None:
    """It is meant to hold it at least 95% of the time, and may more often."""
    rng = np.random.default_rng(11)
    crowd = distorted(rng, 200_000, slope)
    truth = float(calibration_error(crowd, np.ones((1, len(crowd))))[0]) if slope != 1 else 0.0
    repeats = 2000 if proof() else 150
    held = [
        holds(reliability(cases, resamples=300, seed=k).calibration_error, truth)
        for k, cases in enumerate(distorted(rng, 250, slope) for _ in range(repeats))
    ]
    assert sum(held) >= (0.95 * repeats if proof() else binom.ppf(1e-3, repeats, 0.95))


def distorted(rng: np.random.Generator, patients: int, slope: float) -> Cases:
    """Draw labels from probabilities whose logits were multiplied by `slope`."""
    cases = calibrated(rng, patients)
    truth = expit(slope * logit(cases.probability))
    positive = rng.random(len(cases)) < truth
    return Cases(positive, cases.probability, cases.flagged, cases.patient)


def calibrated(rng: np.random.Generator, patients: int) -> Cases:
    """Draw perfectly calibrated probabilities; most of each is the patient's own."""
    patient = np.repeat(np.arange(patients), 1 + rng.poisson(0.7, size=patients))
    logit = 2.5 * rng.standard_normal(patients)[patient] + rng.standard_normal(len(patient))
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-logit))
    return Cases(rng.random(len(patient)) < probability, probability, probability >= 0.5, patient)


@pytest.mark.slow
def test_equal_packages_seldom_differ_by_the_tests_that_count_patients() -> None:
    world = World(200, 3.0, (2.3, 2.3), (1.0, 1.0), 0.05, 0.2, 0.5, 0.1)
    rng = np.random.default_rng(11)
    by_patient: dict[str, list[bool]] = defaultdict(list)
    by_image: dict[str, list[bool]] = defaultdict(list)
    for _ in range(2000 if proof() else 300):
        first, second = world.draw(rng, world.patients)
        areas = (plain(first), plain(second))
        gaps = {"auroc": area_difference(first, second, areas)}
        gaps |= {name: decision_difference(name, first, second) for name in DECISIONS}
        for name, gap in gaps.items():
            assert gap.p is not None
            assert gap.p_unclustered is not None
            by_patient[name].append(gap.p < 0.05)
            by_image[name].append(gap.p_unclustered < 0.05)
    for name, rejected in by_patient.items():
        # The exact test is discrete and so rejects less than it might; it may not reject more.
        assert sum(rejected) <= binom.ppf(0.999, len(rejected), 0.05), name
        assert sum(by_image[name]) > 1.5 * max(sum(rejected), 1), name


def plain(cases: Cases) -> Estimate:
    """An area without an interval: the p-value needs none."""
    value = float(roc_auc_score(cases.positive, cases.probability))
    return Estimate(value, None, None, len(cases), len(np.unique(cases.patient)), "none")
