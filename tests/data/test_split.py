from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from lungflag.data.manifest import LABELS, Manifest, Row
from lungflag.data.sources import open_data
from lungflag.data.split import add_folds, split_by_patient
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    import random


def make(images_of_patients: list[tuple[str, list[str]]], split: str = "") -> Manifest:
    """Make a manifest from each patient's source and labels."""
    return Manifest(
        tuple(
            Row(Path(f"{source}/{split}{n}-{i}.png"), label, f"p{split}{n}", split, source)
            for n, (source, labels) in enumerate(images_of_patients)
            for i, label in enumerate(labels)
        )
    )


# Patients of one to five images, mostly of one label, from two hospitals.
patients = st.tuples(
    st.sampled_from(["a", "b"]),
    st.one_of(
        st.sampled_from(LABELS).flatmap(
            lambda label: st.lists(st.just(label), min_size=1, max_size=5)
        ),
        st.lists(st.sampled_from(LABELS), min_size=1, max_size=5),
    ),
)
studies = st.lists(patients, min_size=60, max_size=80).map(make)


def parts_of_patients(manifest: Manifest) -> dict[tuple[str, str], set[str]]:
    parts = defaultdict(set)
    for row in manifest:
        parts[row.patient_key].add(row.split)
    return parts


def share(manifest: Manifest, split: str) -> float:
    return sum(row.split == split for row in manifest) / len(manifest)


@settings(max_examples=25, deadline=None)
@given(studies, st.integers(0, 1000), st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_every_row_is_placed_and_no_patient_stands_on_two_sides(
    study: Manifest, seed: int, tune: float, test: float
) -> None:
    done = split_by_patient(study, tune=tune, test=test, seed=seed)
    assert [row.path for row in done] == [row.path for row in study]
    assert {row.split for row in done} == {"train", "tune", "test"}
    assert all(len(parts) == 1 for parts in parts_of_patients(done).values())
    # One patient has five images at most; each part is off by about one patient at most.
    slack = 6 / len(study)
    assert abs(share(done, "tune") - tune) < slack
    assert abs(share(done, "test") - test) < slack


@settings(max_examples=25, deadline=None)
@given(studies, st.integers(0, 1000))
def test_each_source_and_label_is_shared_out_alike(study: Manifest, seed: int) -> None:
    done = split_by_patient(study, tune=0.25, test=0.0, seed=seed)
    whole = Counter((row.source, row.label) for row in done)
    tune = Counter((row.source, row.label) for row in done.in_split("tune"))
    for stratum, n in whole.items():
        assert abs(tune[stratum] - 0.25 * n) < 7


@settings(max_examples=15, deadline=None)
@given(studies, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(
    study: Manifest, seed: int, shuffle: random.Random
) -> None:
    rows = list(study)
    shuffle.shuffle(rows)
    shuffled = Manifest(tuple(rows))
    first = split_by_patient(study, tune=0.2, test=0.1, seed=seed)
    second = split_by_patient(shuffled, tune=0.2, test=0.1, seed=seed)
    assert {row.path: row.split for row in first} == {row.path: row.split for row in second}
    first, second = (add_folds(m, folds=4, seed=seed) for m in (study, shuffled))
    assert {r.path: r.extra["fold"] for r in first} == {r.path: r.extra["fold"] for r in second}


def test_another_seed_draws_other_patients() -> None:
    study = make([("a", [label]) for label in LABELS for _ in range(50)])
    first, second = (split_by_patient(study, tune=0.2, test=0.0, seed=seed) for seed in (1, 2))
    assert {row.path for row in first.in_split("tune")} != {
        row.path for row in second.in_split("tune")
    }


def test_without_a_test_fraction_there_is_no_test_split() -> None:
    study = make([("a", [label]) for label in LABELS for _ in range(10)])
    assert {row.split for row in split_by_patient(study, tune=0.2, test=0.0, seed=1)} == {
        "train",
        "tune",
    }


def with_test() -> Manifest:
    new = make([("a", [label]) for label in LABELS for _ in range(20)], "train")
    held = make([("a", [label]) for label in LABELS for _ in range(5)], "test")
    return Manifest(new.rows + held.rows)


def test_published_test_rows_stay_test_unless_asked() -> None:
    study = with_test()
    published = {row.path for row in study.in_split("test")}
    kept = split_by_patient(study, tune=0.25, test=0.0, seed=1)
    assert {row.path for row in kept.in_split("test")} == published
    assert len(kept.in_split("tune")) == 10
    anew = split_by_patient(study, tune=0.25, test=0.0, seed=1, keep_test=False)
    assert {row.split for row in anew} == {"train", "tune"}


def test_folds_leave_the_test_split_and_every_split_alone() -> None:
    study = with_test()
    folded = add_folds(study, folds=4, seed=1)
    assert [row.split for row in folded] == [row.split for row in study]
    assert {row.extra["fold"] for row in folded.in_split("train")} == {"0", "1", "2", "3"}
    assert {row.extra["fold"] for row in folded.in_split("test")} == {""}


def test_a_patient_of_the_kept_test_split_must_not_stand_outside_it() -> None:
    study = with_test()
    inside = study.in_split("test").rows[0]
    leak = Manifest((*study.rows, replace(inside, path=Path("leak.png"), split="train")))
    with pytest.raises(
        ManifestError, match=r"leak\.png: patient ptest0 also has images in the test"
    ):
        split_by_patient(leak, tune=0.2, test=0.0, seed=1)
    with pytest.raises(ManifestError, match="also has images in the test"):
        add_folds(leak, folds=2, seed=1)
    anew = split_by_patient(leak, tune=0.2, test=0.1, seed=1, keep_test=False)
    assert all(len(parts) == 1 for parts in parts_of_patients(anew).values())


@pytest.mark.parametrize(
    ("tune", "test"), [(-0.1, 0.0), (0.0, -0.1), (0.5, 0.5), (1.2, 0.0), (float("nan"), 0.0)]
)
def test_impossible_fractions_are_refused(tune: float, test: float) -> None:
    with pytest.raises(ManifestError, match="must be 0 or more and sum below 1"):
        split_by_patient(with_test(), tune=tune, test=test, seed=1)


def test_too_few_patients_are_refused() -> None:
    study = make([("a", ["normal"]), ("a", ["pneumonia"])])
    with pytest.raises(ManifestError, match="2 patients are too few to fill 3 parts"):
        split_by_patient(study, tune=0.2, test=0.2, seed=1)
    with pytest.raises(ManifestError, match="2 patients are too few to fill 5 parts"):
        add_folds(study, folds=5, seed=1)
    with pytest.raises(ManifestError, match="needs at least 2"):
        add_folds(study, folds=1, seed=1)
    with pytest.raises(ManifestError, match="nothing is left to split"):
        split_by_patient(make([("a", ["normal"])], "test"), tune=0.2, test=0.0, seed=1)


@pytest.mark.shared
def test_folds_of_real_data_are_as_even_as_those_of_scikit_learn(shared: Path) -> None:
    study = open_data(shared / "data" / "kermany224")
    ours = add_folds(study, folds=5, seed=1)
    positive = np.array([row.positive for row in study])
    groups = [row.patient for row in study]
    peer = StratifiedGroupKFold(5, shuffle=True, random_state=1)

    def spread(folds: list[np.ndarray]) -> float:
        sizes = [len(fold) for fold in folds]
        sick = [int(positive[fold].sum()) for fold in folds]
        return max(max(sizes) - min(sizes), max(sick) - min(sick))

    numbers = np.array([int(row.extra["fold"]) for row in ours])
    mine = spread([np.flatnonzero(numbers == fold) for fold in range(5)])
    theirs = spread([fold for _, fold in peer.split(positive, positive, groups)])
    assert mine <= max(theirs, 2)
