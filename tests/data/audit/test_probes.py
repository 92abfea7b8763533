from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lungflag.data.audit import FEATURES
from lungflag.data.audit.concerns import concerns
from lungflag.data.audit.measure import Measurement, features, thumbnail
from lungflag.data.audit.probes import clustered_auc, combined_probe, single_probes
from lungflag.data.manifest import Row
from tests.data.audit.sets import Folder, scene

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_features_of_a_known_picture() -> None:
    pixels = np.zeros((100, 200), dtype=np.float32)
    pixels[25:75, 50:150] = 1.0
    found = dict(zip((one.name for one in FEATURES), features(pixels, 5000), strict=True))
    assert (found["height"], found["width"], found["area"]) == (100, 200, 20000)
    assert (found["aspect_ratio"], found["file_size"], found["bytes_per_pixel"]) == (2, 5000, 0.25)
    assert (found["border_mean"], found["border_contrast"]) == (0, -1)
    assert found["mean"] == pytest.approx(0.25)
    assert found["contrast"] == pytest.approx(np.sqrt(0.25 * 0.75))
    # The Laplacian is -1 inside the bright edge and 1 outside it; -2 in its four corners.
    edge, corners = 2 * (50 + 100) - 8, 4
    squares = edge + 4 * corners + 2 * (50 + 100)
    total = -edge - 2 * corners + 2 * (50 + 100)
    n = 98 * 198
    assert found["sharpness"] == pytest.approx(squares / n - (total / n) ** 2)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.05, 1), st.floats(0, 0.5), st.integers(64, 90), st.integers(64, 90))
def test_a_thumbnail_forgets_brightness_and_linear_contrast(
    gain: float, offset: float, rows: int, columns: int
) -> None:
    pixels = np.random.default_rng(0).random((rows, columns)).astype(np.float32)
    one, other = thumbnail(pixels), thumbnail((gain * pixels + offset).astype(np.float32))
    assert one @ other == pytest.approx(1, abs=1e-4)


values_and_labels = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-5, 5), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda one: len(set(one)) == 2),
        st.lists(st.integers(0, 20), min_size=n, max_size=n),
    )
)


@settings(deadline=None, max_examples=50)
@given(values_and_labels)
def test_the_auc_is_exact_and_its_interval_holds_it(
    drawn: tuple[list[int], list[bool], list[int]],
) -> None:
    values, positive = np.array(drawn[0], dtype=np.float64), np.array(drawn[1])
    clusters = np.array(drawn[2])
    auc, interval = clustered_auc(values, positive, clusters)
    assert auc == pytest.approx(roc_auc_score(positive, values), abs=1e-12)
    mirrored, mirrored_interval = clustered_auc(-values, positive, clusters)
    assert mirrored == pytest.approx(1 - auc, abs=1e-12)
    assert (interval is None) == (mirrored_interval is None)
    if interval and mirrored_interval:
        assert 0 <= interval[0] <= auc <= interval[1] <= 1
        assert mirrored_interval == pytest.approx((1 - interval[1], 1 - interval[0]), abs=1e-9)


def test_the_interval_is_delong_for_one_image_a_patient() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(150) < 0.4
    values = rng.normal(size=150) + positive
    auc, interval = clustered_auc(values, positive, np.arange(150))
    above = values[positive][:, None] > values[~positive][None]
    variance = above.mean(1).var(ddof=1) / positive.sum()
    variance += above.mean(0).var(ddof=1) / (~positive).sum()
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    assert interval is not None
    assert interval == pytest.approx(
        (1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit)))
    )


def test_more_copies_of_each_patient_are_no_more_evidence() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(80) < 0.5
    values, clusters = rng.normal(size=80) + positive, np.arange(80) // 2
    once = clustered_auc(values, positive, clusters)
    often = clustered_auc(np.tile(values, 7), np.tile(positive, 7), np.tile(clusters, 7))
    assert once[1] is not None
    assert often[1] == pytest.approx(once[1])


def test_clusters_widen_the_interval_as_a_bootstrap_by_patient_does() -> None:
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(120), 4)
    positive = patient % 2 == 0
    values = rng.normal(size=120)[patient] + 0.3 * rng.normal(size=480) + 0.8 * positive
    _, interval = clustered_auc(values, positive, patient)
    _, naive = clustered_auc(values, positive, np.arange(480))
    draws = []
    for _ in range(200):
        chosen = rng.integers(0, 120, 120)
        index = (chosen[:, None] * 4 + np.arange(4)).ravel()
        draws.append(roc_auc_score(positive[index], values[index]))
    low, high = np.quantile(draws, (0.025, 0.975))
    assert interval is not None
    assert naive is not None
    assert interval == pytest.approx((low, high), abs=0.03)
    assert interval[1] - interval[0] > 1.5 * (naive[1] - naive[0])


def with_features(positive: NDArray[np.bool_], table: NDArray[np.float64]) -> list[Measurement]:
    return [
        Measurement(
            Row(Path(f"{n}.png"), "pneumonia" if sick else "normal", f"p{n}"),
            *(str(n), line, np.zeros(1, dtype=np.float32)),
        )
        for n, (sick, line) in enumerate(zip(positive, table, strict=True))
    ]


def test_probes_take_each_feature_in_its_direction() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(200) % 2 == 0
    table = rng.normal(size=(200, len(FEATURES)))
    table[:, 0] = 7.0
    table[:, 1] += 2 * positive
    table[:, 2] -= 2 * positive
    table[:, 3] = positive
    probes = {probe.feature: probe for probe in single_probes(with_features(positive, table))}
    assert list(probes) == [feature.name for feature in FEATURES]
    height, width, area, aspect = (probes[feature.name] for feature in FEATURES[:4])
    assert (height.auc, height.interval, height.higher_in) == (0.5, None, "")
    assert width.higher_in == "pneumonia"
    assert area.higher_in == "normal"
    assert area.auc == pytest.approx(roc_auc_score(positive, -table[:, 2]))
    assert area.interval is not None
    assert area.interval[0] < area.auc < area.interval[1]
    assert (aspect.auc, aspect.interval, aspect.higher_in) == (1.0, None, "pneumonia")


def test_the_combined_probe_sees_what_no_feature_shows_alone() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(400) < 0.5
    table = rng.normal(size=(400, len(FEATURES)))
    shared = rng.normal(scale=5, size=400)
    table[:, 0], table[:, 1] = shared + positive, shared - positive
    probe = combined_probe(with_features(positive, table))
    alone = single_probes(with_features(positive, table))
    assert probe is not None
    assert probe.auc > 0.9
    assert max(one.auc for one in alone) < 0.7

    noise = combined_probe(with_features(positive, rng.normal(size=table.shape)))
    assert noise is not None
    assert noise.interval is not None
    assert noise.interval[0] < 0.55  # cross-validated: chance stays chance


def test_a_shortcut_is_a_warning_and_names_its_direction(folder: Folder) -> None:
    for n in range(40):
        label = ("normal", "pneumonia")[n % 2]
        side = 110 + (n % 20) + 25 * (n % 2)
        folder.add(f"{n}.png", scene(n, side), label)
    (shortcut,) = (one for one in concerns(folder.audit()) if "shortcut" in one.title)
    assert shortcut.level == "warning"
    assert any(item.startswith("height: AUC 1.000, larger in pneum") for item in shortcut.items)
    assert any(item.startswith("all together") for item in shortcut.items)


def test_one_label_alone_has_no_probes(folder: Folder) -> None:
    folder.add("a.png", scene(1))
    folder.add("b.png", scene(2))
    audit = folder.audit()
    assert audit.probes == ()
    assert audit.combined is None
