from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_curve

from lungflag.calibration import OperatingPoint
from lungflag.data.manifest import Manifest, Row
from lungflag.detector import Detector
from lungflag.errors import LungflagError, ManifestError, PackageError
from lungflag.evaluation import Cases, assess, predict
from lungflag.evaluation.shift import (
    CORRUPTIONS,
    ShiftResult,
    choose_sample,
    draw_shift,
    run_shift,
)
from lungflag.evaluation.shift.figures import specificity_at
from lungflag.package import ModelPackage
from tests.packages import TINY_GATE, build_gate, build_graph, tiny_fields

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


SIDE = 40
QUICK = ("gamma", "rotation", "equalised")


def picture(rng: np.random.Generator, positive: bool, hospital: int) -> NDArray[np.uint8]:
    """Return a square of noise: more of it bright where positive, brighter below by hospital."""
    bright = rng.uniform(size=(SIDE, SIDE)) < rng.normal(0.56 if positive else 0.48, 0.04)
    grey = np.where(
        bright, rng.integers(150, 256, bright.shape), rng.integers(0, 100, bright.shape)
    )
    if hospital:
        grey[SIDE // 2 :] = grey[SIDE // 2 :] * 0.8 + 50
        grey[: SIDE // 2] = grey[: SIDE // 2] * 0.8
    grey[0, :8], grey[-1, -2:] = (255, 0, 0, 0, 0, 0, 0, 0), 0  # what the tiny gate lets pass
    return grey.astype(np.uint8)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(3)
    rows = []
    for hospital, source in enumerate(("east", "west")):
        for n in range(24):
            positive = n % 3 != 0
            path = folder / f"{source}{n}.png"
            Image.fromarray(picture(rng, positive, hospital)).save(path)
            label, kind = (
                ("pneumonia", ("virus", "bacteria")[n % 2]) if positive else ("normal", "")
            )
            rows.append(Row(path, label, f"p{n // 2}", "test", source, {"subtype": kind}))
    return Manifest(tuple(rows))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = tmp_path_factory.mktemp("packages") / "tiny"
    ModelPackage(**tiny_fields()).write(folder, graph=build_graph(), card="# tiny", gate=None)
    return Detector.load(folder, threads=1)


@pytest.fixture(scope="module")
def found(detector: Detector, manifest: Manifest) -> ShiftResult:
    return run_shift(detector, manifest, corruptions=QUICK, severities=(5, 3), resamples=100)


def test_clean_rows_are_what_evaluating_the_same_images_gives(
    detector: Detector, manifest: Manifest, found: ShiftResult
) -> None:
    whole = assess(list(predict(detector, manifest)), by=["source"], resamples=100)
    clean = found.row("clean")
    for name, ours in (
        ("auroc", clean.auroc),
        ("sensitivity", clean.sensitivity),
        ("specificity", clean.specificity),
    ):
        assert ours == whole.metrics[name]
    assert clean.brier == whole.metrics["brier"].value
    assert clean.drop.value == 0
    assert clean.images == clean.judged == 48
    for group in whole.subgroups:
        assert found.row("clean", None, group.value).auroc == group.metrics["auroc"]


def test_there_is_a_row_for_each_source_corruption_and_severity(found: ShiftResult) -> None:
    assert found.sources == ("", "east", "west")
    assert [(row.corruption, row.severity) for row in found.rows if row.source == "east"] == [
        ("clean", None),
        *(("gamma", 3), ("gamma", 5), ("rotation", 3), ("rotation", 5)),
        ("equalised", None),
    ]
    assert (found.images, found.patients, found.available) == (48, 24, 48)
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(KeyError):
        found.row("gamma", 1)


def test_the_summary_is_of_severity_three_or_else_the_highest(
    detector: Detector, manifest: Manifest, found: ShiftResult
) -> None:
    for summary in found.summaries:
        drops = {
            name: found.row(name, 3, summary.source).drop.value or 0.0
            for name in ("gamma", "rotation")
        }
        assert summary.severity == 3
        assert summary.mean_drop == pytest.approx(np.mean(list(drops.values())))
        assert summary.worst_drop == max(drops.values()) == drops[summary.worst]
        flat = found.row("equalised", None, summary.source)
        assert summary.histogram_drops == {"equalised": flat.drop.value}
    few = choose_sample(manifest, 8, 0)
    mild = run_shift(detector, few, corruptions=["blur"], severities=(1, 2), resamples=20)
    assert mild.summaries[0].severity == 2
    bare = run_shift(detector, few, corruptions=["matched"], resamples=20).summaries[0]
    assert (bare.severity, bare.mean_drop, bare.worst, bare.worst_drop) == (None, None, "", None)


def test_equalising_takes_away_a_difference_of_intensity_alone(found: ShiftResult) -> None:
    # The tiny detector knows nothing but the mean grey value.
    east = found.row("equalised", None, "east")
    assert found.row("clean", None, "east").auroc.value > 0.8  # type: ignore[operator]
    assert east.drop.value > 0.1  # type: ignore[operator]
    assert east.drop.low is not None
    assert east.drop.low <= east.drop.value <= east.drop.high  # type: ignore[operator]


def test_a_drop_is_measured_on_images_judged_both_times_and_rejections_are_counted(
    tmp_path: Path, manifest: Manifest
) -> None:
    package = ModelPackage(**tiny_fields(gate=TINY_GATE))
    package.write(tmp_path / "gated", graph=build_graph(), card="# tiny", gate=build_gate())
    detector = Detector.load(tmp_path / "gated", threads=1)
    torn = tmp_path / "torn.png"
    torn.write_bytes(manifest.rows[0].path.read_bytes()[:300])
    rows = (*manifest.rows, Row(torn, "normal", "t", "test", "east", {}))
    found = run_shift(
        *(detector, Manifest(rows)), corruptions=["rotation"], severities=(5,), resamples=50
    )
    clean, turned = found.row("clean"), found.row("rotation", 5)
    assert clean.rejected == {"unreadable": 1}
    assert [path for path, _ in found.rejected] == [str(torn)]
    # Turning the film turns the gate's answer out of its first pixels.
    assert sum(turned.rejected.values()) > 10
    assert turned.images == 49
    assert turned.judged == turned.images - sum(turned.rejected.values())
    assert turned.drop.n == turned.judged == turned.auroc.n


def test_the_manifests_age_chooses_the_threshold_as_in_an_evaluation(
    tmp_path: Path, manifest: Manifest
) -> None:
    points = (
        OperatingPoint("balanced", 0.5, "for anyone", 0.9, 0.9, 100),
        OperatingPoint("balanced", 0.99, "for children", 0.9, 0.9, 100, "child"),
    )
    package = ModelPackage(**tiny_fields(operating_points=points))
    package.write(tmp_path / "ages", graph=build_graph(), card="# tiny", gate=None)
    detector = Detector.load(tmp_path / "ages", threads=1)
    children = manifest.with_column("age", ["4" if n % 2 else "40" for n in range(len(manifest))])
    clean = run_shift(detector, children, corruptions=[], resamples=20).row("clean")
    wanted = assess(list(predict(detector, children)), resamples=20).metrics
    assert clean.sensitivity.value == wanted["sensitivity"].value
    assert clean.specificity.value == wanted["specificity"].value
    whole = run_shift(detector, manifest, corruptions=[], resamples=20).row("clean")
    assert whole.sensitivity.value != clean.sensitivity.value


def test_subtypes_stand_against_all_normal_images_of_their_source(
    detector: Detector, manifest: Manifest, found: ShiftResult
) -> None:
    assert [(row.source, row.value) for row in found.subtypes] == [
        (source, value) for source in ("", "east", "west") for value in ("bacteria", "virus")
    ]
    east = [row for row in found.subtypes if row.source == "east"]
    assert [(row.positives, row.normals) for row in east] == [(8, 8), (8, 8)]
    mean = np.mean([row.auroc.value for row in east if row.auroc.value is not None])
    assert mean == pytest.approx(found.row("clean", None, "east").auroc.value)
    few = choose_sample(manifest, 8, 0)
    assert not run_shift(detector, few, corruptions=[], by="none", resamples=20).subtypes


def test_probes_find_the_planted_shortcuts(
    detector: Detector, manifest: Manifest, found: ShiftResult
) -> None:
    whole, east, west = found.shortcuts
    assert (whole.images, east.images, west.images) == (48, 24, 24)
    # Its answer is the mean grey value, so that intensity tells as much as the detector.
    assert east.detector.auc == found.row("clean", None, "east").auroc.value
    assert east.intensity.auc is not None
    assert east.intensity.auc > 0.7
    # The embedding is a grid of means, and the hospitals differ in the lower half.
    assert [(row.label, row.source, row.images) for row in found.hospitals] == [
        ("normal", "east", 16),
        ("pneumonia", "east", 32),
    ]
    assert all(row.embedding.auc is not None and row.embedding.auc > 0.9 for row in found.hospitals)
    assert found.label_by_hospital == 0.5
    skewed = manifest.where(lambda row: row.source == "east" or row.positive)
    told = run_shift(detector, skewed, corruptions=[], resamples=20)
    assert told.label_by_hospital == pytest.approx((8 * 16 + 0.5 * 8 * 16) / (8 * 32))
    east_alone = manifest.where(lambda row: row.source == "east")
    alone = run_shift(detector, east_alone, corruptions=[], resamples=20)
    assert alone.sources == ("",)
    assert alone.hospitals == ()
    assert alone.label_by_hospital is None


def test_jobs_change_nothing_and_every_image_is_reported(
    detector: Detector, manifest: Manifest
) -> None:
    def run(jobs: int, done: list[None]) -> ShiftResult:
        return run_shift(
            *(detector, manifest),
            corruptions=["crop"],
            severities=(2,),
            limit=12,
            jobs=jobs,
            resamples=20,
            advance=lambda: done.append(None),
        )

    ticks: tuple[list[None], list[None]] = ([], [])
    assert run(1, ticks[0]) == run(3, ticks[1])
    assert [len(done) for done in ticks] == [12, 12]


def test_the_sample_is_even_over_sources_and_labels_and_grows_with_its_limit(
    manifest: Manifest,
) -> None:
    assert choose_sample(manifest, None, 0) is manifest
    small, large = choose_sample(manifest, 16, 7), choose_sample(manifest, 32, 7)
    counts = {
        (source, label): sum((row.source, row.label) == (source, label) for row in small)
        for source in ("east", "west")
        for label in ("normal", "pneumonia")
    }
    assert set(counts.values()) == {4}
    assert (
        {row.path for row in small} < {row.path for row in large} < {row.path for row in manifest}
    )
    assert len({row.patient_key for row in small}) >= 14  # of two images each, one comes first
    assert choose_sample(manifest, 16, 8) != small
    assert len(choose_sample(manifest, 1000, 0)) == len(manifest)


def test_requests_that_cannot_be_met_say_so(
    detector: Detector, manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(LungflagError, match="no corruption 'fog'; there are brightness, "):
        run_shift(detector, manifest, corruptions=["fog"])
    with pytest.raises(LungflagError, match="severity 6 is not 1 to 5"):
        run_shift(detector, manifest, severities=(1, 6))
    with pytest.raises(LungflagError, match="a sample of 0 images"):
        run_shift(detector, manifest, limit=0)
    with pytest.raises(PackageError, match="no operating point 'none'"):
        run_shift(detector, manifest, operating_point="none")
    missing = Manifest((Row(tmp_path / "gone.png", "normal", "p"),))
    with pytest.raises(ManifestError, match=r"none of 1 images could be judged.*gone\.png"):
        run_shift(detector, missing)


def test_specificity_at_a_sensitivity_is_the_best_of_the_roc_curve() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 50, 97, 200):
        positive = np.arange(n) % 2 == 0
        probability = np.round(rng.normal(positive * 1.2, 1), 1)
        cases = Cases(positive, probability, positive, np.arange(n))
        fpr, tpr, _ = roc_curve(positive, probability, drop_intermediate=False)
        for share in (0.5, 0.9, 0.98, 1.0):
            best = 1 - fpr[tpr >= share - 1e-12].min()
            assert specificity_at(cases, share) == pytest.approx(best)
    nobody = np.zeros(4, dtype=bool)
    assert specificity_at(Cases(nobody, np.ones(4), nobody, np.arange(4)), 0.98) is None


def test_the_picture_has_a_panel_a_source_and_a_figure_a_cell(
    detector: Detector, manifest: Manifest, found: ShiftResult
) -> None:
    figure = draw_shift(found)
    figure.savefig(io.BytesIO(), format="png")
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == [
        "all images",
        "east",
        "west",
    ]
    texts = [text.get_text() for text in figure.axes[1].texts]
    row = found.row("rotation", 3, "east")
    assert f"{row.auroc.value:.3f}" in texts
    assert len(texts) == 2 * 2 + 1
    few = choose_sample(manifest, 4, 0)
    bare = draw_shift(run_shift(detector, few, corruptions=[], resamples=20))
    bare.savefig(io.BytesIO(), format="png")


def test_every_corruption_runs(detector: Detector, manifest: Manifest) -> None:
    few = run_shift(detector, manifest, limit=8, severities=(5,), resamples=20)
    assert {row.corruption for row in few.rows} == {"clean", *CORRUPTIONS}
