from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from lungflag.evaluation import CELLS, METRICS, Cases, Estimate, estimate, wilson
from lungflag.evaluation.delong import areas
from lungflag.evaluation.intervals import resampled, resamples_of

Simulate = Callable[[np.random.Generator, int], Cases]
PROPORTIONS = ("accuracy", "sensitivity", "specificity", "precision", "prevalence", *CELLS)


def simulate(rng: np.random.Generator, patients: int, images: float) -> Cases:
    """Draw binormal scores; half of their variance is the patient's own, shared by the images."""
    count = 1 + rng.poisson(images - 1, size=patients)
    patient = np.repeat(np.arange(patients), count)
    positive = (rng.random(patients) < 0.5)[patient]
    shared, own = rng.standard_normal(patients)[patient], rng.standard_normal(len(patient))
    score = 1.8 * positive + np.sqrt(0.5) * (shared + own)
    return Cases(positive, norm.cdf(score - 0.9), score >= 0.9, patient)


def cases(positive: list[int], probability: list[float], patient: list[int]) -> Cases:
    p = np.array(probability)
    return Cases(np.array(positive, dtype=bool), p, p >= 0.5, np.array(patient))


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(deadline=None)
def test_wilson_is_the_closed_formula_of_1927(counts: tuple[int, int]) -> None:
    k, n = counts
    z, p = norm.ppf(0.975), k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_wilson_gives_a_published_interval() -> None:
    # Newcombe, Stat. Med. 17, 1998, table I: 81 of 263 and 0 of 20 by method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_by_patient_is_wilson_for_as_many_images_as_are_worth_it() -> None:
    sample = simulate(np.random.default_rng(3), 150, 2.0)
    hits, patient = sample.flagged[sample.positive], sample.patient[sample.positive]
    members = [hits[patient == one] for one in np.unique(patient)]
    m, n, p = len(members), len(hits), hits.mean()
    error = m / (m - 1) * sum((one.sum() - len(one) * p) ** 2 for one in members) / n**2
    worth, z = p * (1 - p) / error, t.ppf(0.975, m - 1)
    centre = (p + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * np.sqrt(p * (1 - p) / worth + z**2 / (4 * worth**2))
    found = estimate(sample)["sensitivity"]
    assert (found.n, found.patients, found.method) == (n, m, "wilson by patient")
    assert worth < n
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


def test_resamples_are_a_plain_loop_over_patients() -> None:
    sample = simulate(np.random.default_rng(3), 150, 2.0)
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(sample.patient == one) for one in range(150)]
    loop = np.empty(700)
    for place in range(700):
        rows = np.concatenate([members[one] for one in rng.integers(150, size=150)])
        loop[place] = (sample.flagged[rows] == sample.positive[rows]).mean()
    right = (sample.flagged == sample.positive).astype(float)
    drawn = np.concatenate(
        [w @ right / w.sum(axis=1) for w in resamples_of(sample.patient, 4000, seed=0)]
    )
    found = resampled(right.mean(), drawn, sample.patient, units=150)
    shift = 2 * norm.ppf((np.mean(loop < right.mean()) + np.mean(loop <= right.mean())) / 2)
    reach = np.sqrt(150 / 149) * t.ppf(0.975, 149)
    expected = np.quantile(loop, norm.cdf([shift - reach, shift + reach]))
    assert found.method == "patient bootstrap"
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.012)


def test_the_jackknife_is_a_plain_loop_over_patients() -> None:
    sample = simulate(np.random.default_rng(3), 60, 2.0)
    peers: dict[str, Callable[..., float]] = {
        "auroc": roc_auc_score,
        "auprc": average_precision_score,
        "brier": brier_score_loss,
    }
    found = estimate(sample, resamples=60)
    for name, peer in peers.items():
        whole = peer(sample.positive, sample.probability)
        kept = [sample.patient != one for one in range(60)]
        without = np.array([peer(sample.positive[k], sample.probability[k]) for k in kept])
        share = (without - without.mean()) ** 2
        degrees = 2 * share.sum() ** 2 / ((share**2).sum() - share.sum() ** 2 / 60)
        error = np.sqrt(59 / 60 * share.sum())
        reach = t.ppf(0.975, min(degrees, 59)) * error / (whole * (1 - whole))
        expected = expit(logit(whole) + np.array([-reach, reach]))
        assert found[name].method == "patient jackknife"
        assert (found[name].low, found[name].high) == pytest.approx(tuple(expected)), name


def test_the_jackknifes_auroc_is_obuchowskis() -> None:
    sample = simulate(np.random.default_rng(8), 250, 2.0)
    variance = areas(sample.positive, sample.probability[None], sample.patient).covariance[0, 0]
    found = estimate(sample)["auroc"]
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    on_logit = (logit(found.high) - logit(found.low)) / 2 * found.value * (1 - found.value)
    assert on_logit == pytest.approx(2.0 * np.sqrt(variance), rel=0.05)


def test_many_patients_are_left_out_in_groups() -> None:
    sample = simulate(np.random.default_rng(9), 1000, 1.5)
    each, grouped = estimate(sample, resamples=1000), estimate(sample, resamples=250)
    for name in ("auroc", "auprc", "brier", "f1", "balanced_accuracy"):
        assert width(grouped[name]) == pytest.approx(width(each[name]), rel=0.15), name


def test_one_image_a_patient_has_wilson_for_proportions_and_the_bootstrap_for_the_rest() -> None:
    sample = simulate(np.random.default_rng(0), 80, 1.0)
    found = estimate(sample)
    sensitive = found["sensitivity"]
    hits = int((sample.positive & sample.flagged).sum())
    assert (sensitive.low, sensitive.high) == wilson(hits, sensitive.n)
    assert {found[name].method for name in PROPORTIONS} == {"wilson"}
    rest = ("f1", "balanced_accuracy", "auroc", "auprc", "brier")
    assert {found[name].method for name in rest} == {"patient jackknife"}
    assert set(found) == {*METRICS, *CELLS}


def test_copies_of_a_patients_image_do_not_make_the_interval_narrower() -> None:
    once = simulate(np.random.default_rng(5), 120, 1.0)
    each = np.repeat(np.arange(len(once)), 5)
    many = Cases(
        once.positive[each], once.probability[each], once.flagged[each], once.patient[each]
    )
    strangers = Cases(many.positive, many.probability, many.flagged, np.arange(len(many)))
    single, copied, apart = (estimate(sample) for sample in (once, many, strangers))
    for name in METRICS:
        assert copied[name].value == pytest.approx(single[name].value)
        assert width(copied[name]) == pytest.approx(width(single[name]), rel=0.12), name
        assert width(copied[name]) > 1.8 * width(apart[name]), name


def test_the_same_seed_gives_the_same_intervals_and_many_images_are_drawn_in_parts() -> None:
    sample = simulate(np.random.default_rng(1), 2500, 2.0)
    assert len(sample) * 1000 > 2_000_000
    first, again = (estimate(sample, resamples=1000, seed=4) for _ in range(2))
    assert first == again
    assert first != estimate(sample, resamples=1000, seed=5)


@pytest.mark.parametrize(
    ("positive", "undefined", "why"),
    [
        ([1, 1, 1, 1], ("specificity", "auroc", "auprc", "balanced_accuracy"), "no normal images"),
        ([0, 0, 0, 0], ("sensitivity", "f1", "auroc", "auprc"), "no pneumonia images"),
    ],
)
def test_one_class_alone(positive: list[int], undefined: tuple[str, ...], why: str) -> None:
    found = estimate(cases(positive, [0.9, 0.6, 0.2, 0.4], [1, 1, 2, 3]))
    for name in undefined:
        assert found[name].value is None
        assert found[name].low is None
        assert found[name].note == f"not defined: {why}"
    assert found["accuracy"].value == 0.5
    assert width(found["accuracy"]) > 0


def test_f1_rests_on_the_only_class_there_is() -> None:
    halves = estimate(cases([1] * 40, [0.9, 0.1] * 20, [i // 2 for i in range(40)]))
    assert halves["f1"].note.startswith("no interval: it rests on one patient, or none")
    assert halves["accuracy"].method == "wilson by patient"
    mixed = estimate(cases([1] * 40, [0.9, 0.1, 0.8] * 13 + [0.9], list(range(40))))
    assert 0.6 < mixed["f1"].low < mixed["f1"].value < mixed["f1"].high < 0.95  # type: ignore[operator]


def test_nothing_flagged_and_everything_flagged() -> None:
    none = estimate(cases([1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4]))
    assert none["precision"].note == "not defined: no image is flagged"
    assert none["f1"].value == 0
    every = estimate(cases([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], [1, 2, 3, 4]))
    assert every["negative_predictive_value"].note == "not defined: every image is flagged"


def test_perfect_separation_is_not_certainty() -> None:
    positive = [1] * 30 + [0] * 20
    found = estimate(cases(positive, [0.8] * 30 + [0.1] * 20, [i // 2 for i in range(50)]))
    assert found["sensitivity"].value == 1
    assert found["sensitivity"].method == "wilson by patient"
    # 30 images that are all right are worth no more than their 15 patients.
    assert found["sensitivity"].low == pytest.approx(1 / (1 + t.ppf(0.975, 14) ** 2 / 15))
    assert found["sensitivity"].high == 1
    assert (found["auroc"].low, found["auroc"].high) == wilson(10, 10)
    assert found["f1"].value == 1
    assert found["f1"].low is None
    assert found["f1"].note.startswith("no interval: it rests on one patient, or none")
    assert found["false_negative"].low == 0
    assert found["false_negative"].high == pytest.approx(1 / (1 + 25 / t.ppf(0.975, 24) ** 2))


def test_a_single_patient_has_values_but_hardly_any_interval() -> None:
    found = estimate(cases([1, 1, 0, 0], [0.9, 0.2, 0.1, 0.3], [7, 7, 7, 7]))
    assert found["sensitivity"].value == 0.5
    assert width(found["sensitivity"]) > 0.99
    assert found["specificity"].value == 1
    assert width(found["specificity"]) > 0.99
    assert found["auroc"].value == 0.75
    assert found["auroc"].low is None
    assert found["auroc"].note.startswith("no interval")


def test_no_image_at_all_has_no_values() -> None:
    found = estimate(cases([], [], []))
    assert set(found) == {*METRICS, *CELLS}
    assert all(one.value is None and one.note for one in found.values())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([1.0, 1.5, 4.0]))
def test_every_estimate_is_whole(seed: int, patients: int, images: float) -> None:
    sample = simulate(np.random.default_rng(seed), patients, images)
    for name, found in estimate(sample, resamples=200).items():
        assert 0 < found.patients <= found.n <= len(sample) or found.value is None
        if found.value is None:
            assert found.note.startswith("not defined")
            assert (found.low, found.high, found.method) == (None, None, "none")
        elif found.low is None or found.high is None:
            assert found.note.startswith("no interval")
            assert found.method == "none"
        else:
            assert -1e-12 <= found.low < found.high <= 1 + 1e-12, name
