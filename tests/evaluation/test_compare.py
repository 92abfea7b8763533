from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2, norm, permutation_test
from sklearn.metrics import roc_auc_score

from lungflag.data.manifest import Row
from lungflag.errors import ManifestError
from lungflag.evaluation import Prediction, estimate, judged_cases
from lungflag.evaluation.compare import COMPARED, Comparison, compare, draw_comparison
from lungflag.evaluation.compare.decisions import (
    Discordance,
    difference_interval,
    discordance,
    holm,
    mcnemar,
    patient_flip,
)
from lungflag.evaluation.delong import Areas, areas

# Albumin, total protein, K-G score and whether surgery helped, of 43 patients with ovarian cancer:
# the worked example of DeLong et al. 1988 as the SAS/STAT User's Guide prints it (PROC LOGISTIC,
# 'Comparing Receiver Operating Characteristic Curves').
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


def draw(
    seed: int, patients: int, images: float = 2.0, mixed: float = 0.2
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]:
    """Two correlated scores of clustered images, on a coarse scale so that ties are common."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 1 + rng.poisson(images - 1, size=patients))
    positive = (rng.random(patients) < 0.6)[patient] ^ (rng.random(len(patient)) < mixed)
    shared = rng.standard_normal(patients)[patient] + rng.standard_normal(len(patient))
    own = rng.standard_normal((2, len(patient))) + rng.standard_normal((2, patients))[:, patient]
    return positive, np.round(np.array([[2.5], [1.5]]) * positive + shared + own, 1), patient


def by_definition(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], patient: NDArray[np.intp]
) -> Areas:
    """Obuchowski 1997 and DeLong 1988 as printed: all pairs of images, one loop a patient."""
    pair = scores[:, positive][:, :, None] - scores[:, ~positive][:, None, :]
    psi = (pair > 0) + 0.5 * (pair == 0)
    v10, v01, area = psi.mean(axis=2), psi.mean(axis=1), psi.mean(axis=(1, 2))
    m, n = psi.shape[1:]
    everyone = np.unique(patient)
    ill, well = np.zeros((2, len(scores), len(everyone)))
    for place, one in enumerate(everyone):
        mine, others = patient[positive] == one, patient[~positive] == one
        ill[:, place] = v10[:, mine].sum(axis=1) - mine.sum() * area
        well[:, place] = v01[:, others].sum(axis=1) - others.sum() * area
    i10, i01, i = len(set(patient[positive])), len(set(patient[~positive])), len(everyone)
    s10 = i10 / ((i10 - 1) * m) * ill @ ill.T
    s01 = i01 / ((i01 - 1) * n) * well @ well.T
    s11 = i / (i - 1) * (ill @ well.T)
    return Areas(
        value=area,
        covariance=s10 / m + s01 / n + (s11 + s11.T) / (m * n),
        unclustered=np.cov(v10) / m + np.cov(v01) / n,
        influence=ill / m + well / n,
    )


def test_delong_gives_the_published_figures_of_its_own_example() -> None:
    table = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4)
    scores = np.stack([table[:, 0], -table[:, 2], table[:, 1]])
    found = areas(table[:, 3] == 1, scores, np.arange(len(table)))
    assert found.value == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(found.unclustered)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    contrasts = np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
    gaps = contrasts @ found.value
    spread = contrasts @ found.unclustered @ contrasts.T
    statistic = gaps @ np.linalg.solve(spread, gaps)
    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)
    assert found.covariance == pytest.approx(found.unclustered)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(4, 25), st.sampled_from([1.0, 1.5, 4.0]))
def test_the_fast_form_is_the_definition(seed: int, patients: int, images: float) -> None:
    positive, scores, patient = draw(seed, patients, images)
    if min(len(set(patient[side])) for side in (positive, ~positive)) < 2:
        return
    found, slow = areas(positive, scores, patient), by_definition(positive, scores, patient)
    for row, value in zip(scores, found.value, strict=True):
        assert value == pytest.approx(roc_auc_score(positive, row))
    assert found.value == pytest.approx(slow.value)
    assert found.covariance == pytest.approx(slow.covariance, abs=1e-12)
    assert found.unclustered == pytest.approx(slow.unclustered, abs=1e-12)
    assert found.influence == pytest.approx(slow.influence, abs=1e-12)


def test_the_clustered_variance_is_what_drawing_patients_again_gives() -> None:
    positive, scores, patient = draw(7, 250, 3.0)
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(patient == one) for one in range(250)]
    gaps = []
    for _ in range(800):
        rows = np.concatenate([members[one] for one in rng.integers(250, size=250)])
        first, second = (roc_auc_score(positive[rows], score[rows]) for score in scores)
        gaps.append(second - first)
    found, contrast = areas(positive, scores, patient), np.array([-1.0, 1.0])
    assert found.variance(contrast) == pytest.approx(np.var(gaps), rel=0.15)
    assert found.variance(contrast) > 1.3 * contrast @ found.unclustered @ contrast
    assert 50 < found.degrees(contrast) < 249


def test_few_patients_who_carry_the_variance_leave_few_degrees_of_freedom() -> None:
    positive = np.repeat([True, False], 100)
    score = np.where(positive, 1.0, 0.0) + np.linspace(0, 0.1, 200)
    score[:3] = -1.0
    found = areas(positive, score[None], np.arange(200))
    assert found.degrees(np.ones(1)) < 8


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_image_a_patient_makes_it_mcnemars_exact_test(first: int, second: int) -> None:
    right = np.array([[1, 0]] * first + [[0, 1]] * second + [[1, 1], [0, 0]], dtype=bool)
    found = discordance(right[:, 0], right[:, 1], np.arange(len(right)))
    assert (found.first_only, found.second_only) == (first, second)
    assert patient_flip(found) == pytest.approx(mcnemar(found))


def test_mcnemar_gives_a_published_p_value() -> None:
    # Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13:91, 2013: airway reactivity of 21
    # children before and after transplantation, 1 and 7 of whom changed; Bonett and Price's
    # interval from their Stat. Med. paper of 2014.
    lead = np.array([1] + [-1] * 7 + [0] * 13)
    found = Discordance(7, 1, lead, np.ones(21, dtype=np.int64))
    assert mcnemar(found) == pytest.approx(0.0703, abs=5e-5)
    low, high = difference_interval(found)
    # Theirs is with the normal distribution; here Student's t with 22 degrees of freedom.
    reach, centre = (high - low) / 2 * norm.ppf(0.975), (high + low) / 2
    assert centre == pytest.approx((-0.508 - 0.013) / 2, abs=1e-3)
    assert reach / 2.0739 / np.sqrt(23 / 22) == pytest.approx((0.508 - 0.013) / 2, abs=1e-3)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_patient_flips_are_scipys_permutation_test_over_patients(seed: int, patients: int) -> None:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    first, second = rng.random((2, len(patient))) < 0.6
    found = discordance(first, second, patient)
    sums = np.stack([np.bincount(patient, right) for right in (first, second)])
    peer = permutation_test(
        tuple(sums), lambda a, b, axis: (b - a).sum(axis=axis),
        permutation_type="samples", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert found.difference == pytest.approx((second.sum() - first.sum()) / len(patient))
    assert patient_flip(found) == pytest.approx(min(peer.pvalue, 1.0))


def test_copies_of_a_patients_image_prove_nothing_more() -> None:
    right = np.array([[1, 0]] * 9 + [[0, 1]] * 2 + [[1, 1]] * 30, dtype=bool)
    four = np.repeat(right, 4, axis=0)
    once = discordance(right[:, 0], right[:, 1], np.arange(41))
    copied = discordance(four[:, 0], four[:, 1], np.repeat(np.arange(41), 4))
    apart = discordance(four[:, 0], four[:, 1], np.arange(164))
    assert patient_flip(copied) == pytest.approx(patient_flip(once))
    assert mcnemar(copied) < patient_flip(copied) / 10
    widths = [np.ptp(difference_interval(found)) for found in (once, copied, apart)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[1] > 1.8 * widths[2]


def test_many_patients_make_it_obuchowskis_test() -> None:
    rng = np.random.default_rng(4)
    patient = np.repeat(np.arange(400), rng.integers(1, 6, 400))
    first = rng.random(len(patient)) < 0.80
    second = rng.random(len(patient)) < 0.83
    found = discordance(first, second, patient)
    statistic = found.lead.sum() ** 2 / (found.lead**2).sum()
    assert patient_flip(found) == pytest.approx(chi2.sf(statistic, 1), rel=0.15)


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    given_p = [0.01, 0.04, None, 0.03, 0.005]
    known = [p for p in given_p if p is not None]
    closed = [
        max(
            min(1.0, len(family) * min(family))
            for size in range(1, 5)
            for family in combinations(known, size)
            if p in family
        )
        for p in known
    ]
    assert [p for p in holm(given_p) if p is not None] == pytest.approx(closed)
    assert holm(given_p)[2] is None
    assert holm([]) == []


def predictions(
    positive: NDArray[np.bool_], score: NDArray[np.float64], patient: NDArray[np.intp]
) -> list[Prediction]:
    chance = norm.cdf(score - 1.0)
    return [
        Prediction(
            Row(Path(f"{place}.png"), "pneumonia" if ill else "normal", f"p{who}", "test"),
            float(p),
            bool(p >= 0.5),
        )
        for place, (ill, p, who) in enumerate(zip(positive, chance, patient, strict=True))
    ]


def three(seed: int = 3, patients: int = 80) -> dict[str, list[Prediction]]:
    positive, scores, patient = draw(seed, patients)
    noise = np.random.default_rng(seed).standard_normal(len(positive))
    return {
        "good": predictions(positive, scores[0], patient),
        "fair": predictions(positive, scores[1], patient),
        "poor": predictions(positive, noise, patient),
    }


def rejecting(judged: list[Prediction], places: range) -> list[Prediction]:
    return [
        replace(one, probability=None, flagged=None, reason="too dark") if place in places else one
        for place, one in enumerate(judged)
    ]


def test_each_package_is_measured_as_evaluate_does_and_compared_with_the_first() -> None:
    given_predictions = three()
    found = compare(given_predictions, resamples=300)
    good, fair, poor = found.contenders
    assert [one.name for one in found.contenders] == ["good", "fair", "poor"]
    assert good.differences == {}
    alone = estimate(judged_cases(given_predictions["fair"]), resamples=300)
    assert fair.metrics == {name: alone[name] for name in COMPARED}
    assert not found.rejected
    for other in (fair, poor):
        for name, gap in other.differences.items():
            theirs, first = other.metrics[name].value, good.metrics[name].value
            assert theirs is not None
            assert first is not None
            assert gap.value == pytest.approx(theirs - first)
            assert gap.low is not None
            assert gap.high is not None
            assert gap.p is not None
            assert gap.p_adjusted is not None
            assert gap.low < theirs - first < gap.high
            assert gap.p <= gap.p_adjusted <= min(1, 2 * gap.p)
    assert poor.differences["auroc"].high < 0  # type: ignore[operator]
    assert poor.differences["auroc"].p < 0.001  # type: ignore[operator]


def test_the_p_values_that_ignore_patients_are_the_plain_tests() -> None:
    positive, scores, patient = draw(3, 80)
    found = compare(three(), resamples=50).contenders[1].differences
    plain = by_definition(positive, scores, patient).unclustered
    gap = roc_auc_score(positive, scores[1]) - roc_auc_score(positive, scores[0])
    z = gap / np.sqrt(plain[0, 0] + plain[1, 1] - 2 * plain[0, 1])
    assert found["auroc"].p_unclustered == pytest.approx(2 * norm.sf(abs(z)))
    hits = (scores[:, positive] >= 1.0).astype(int)
    alone = int((hits[1] > hits[0]).sum()), int((hits[0] > hits[1]).sum())
    assert (found["sensitivity"].second_only, found["sensitivity"].first_only) == alone
    assert found["sensitivity"].p_unclustered == pytest.approx(
        binomtest(alone[0], sum(alone)).pvalue
    )


def test_images_that_one_package_rejects_are_left_out_for_all() -> None:
    given_predictions = three()
    given_predictions["fair"] = rejecting(given_predictions["fair"], range(10))
    found = compare(given_predictions, resamples=50)
    total = found.common.images
    assert found.rejected
    assert sum(found.common.rejected.values()) == 10
    assert [sum(one.count.rejected.values()) for one in found.contenders] == [0, 10, 0]
    assert {one.metrics["accuracy"].n for one in found.contenders} == {total - 10}
    assert {one.intention_to_diagnose["accuracy"].n for one in found.contenders} == {total}
    kept = {name: judged[10:] for name, judged in three().items()}
    assert found.contenders[2].differences == compare(kept, resamples=50).contenders[2].differences


def test_nothing_in_common_is_an_error() -> None:
    given_predictions = three()
    count = len(given_predictions["good"])
    given_predictions["good"] = rejecting(given_predictions["good"], range(5))
    given_predictions["poor"] = rejecting(given_predictions["poor"], range(5, count))
    with pytest.raises(ManifestError, match=r"was judged by every package; .* 0.png: too dark"):
        compare(given_predictions)


def test_a_comparison_needs_two_that_saw_the_same() -> None:
    with pytest.raises(ValueError, match="at least two"):
        compare({"one": three()["good"]})
    with pytest.raises(ValueError, match="different images"):
        compare({"one": three()["good"], "two": three()["good"][1:]})


def test_one_class_alone_has_no_area_but_the_rest() -> None:
    ill = {name: [one for one in judged if one.row.positive] for name, judged in three().items()}
    found = compare(ill, resamples=50).contenders[1].differences
    assert found["auroc"].value is None
    assert found["auroc"].note == "not defined: no normal images"
    assert found["specificity"].value is None
    assert found["sensitivity"].low is not None
    draw_comparison(compare(ill, resamples=50), ".png")


def test_perfect_packages_are_alike_and_no_certainty_is_claimed() -> None:
    positive, _, patient = draw(1, 40, mixed=0.0)
    score = np.where(positive, 9.0, 0.0)
    perfect = predictions(positive, score, patient)
    score[np.argmax(positive)] = -1
    nearly = predictions(positive, score, patient)
    found = compare({"one": perfect, "two": perfect, "three": nearly}, resamples=50)
    same = found.contenders[1].differences
    assert same["auroc"].p is None
    assert same["auroc"].note == "no test: both rank the images alike"
    assert same["accuracy"].low < 0 < same["accuracy"].high  # type: ignore[operator]
    other = found.contenders[2].differences["auroc"]
    assert other.low < other.value < other.high  # type: ignore[operator]


def test_training_images_and_several_sources_are_warned_of() -> None:
    def changed(judged: list[Prediction]) -> list[Prediction]:
        rows = [
            replace(one.row, split="train" if place < 4 else "tune", source="ab"[place % 2])
            for place, one in enumerate(judged)
        ]
        return [replace(one, row=row) for one, row in zip(judged, rows, strict=True)]

    found = compare({name: changed(judged) for name, judged in three().items()}, resamples=50)
    assert "4 of" in found.warnings[0]
    assert "2 sources" in found.warnings[1]
    assert compare(three(), resamples=50).warnings == ()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_forest_plot_is_drawn_whatever_the_names(suffix: str) -> None:
    given_predictions = three()
    odd = {
        "$x^2$ a_b": given_predictions["good"],
        "a name that is far longer than any sensible name of a package": given_predictions["fair"],
    }
    found: Comparison = compare(odd, resamples=50)
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}[suffix]
    assert draw_comparison(found, suffix).startswith(start)
