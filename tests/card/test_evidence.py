from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lungflag.card import (
    Development,
    add_development,
    add_evidence,
    add_failures,
    evidence_of,
    read_evaluation,
    rewrite,
)
from lungflag.errors import LungflagError, PackageError
from tests.card.evaluations import evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.package import ModelPackage

TODAY = "2026-03-04"


def test_an_evaluation_goes_on_record_with_what_a_reader_needs(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    path = evaluation(tiny_package, tmp_path / "e.json")
    found = read_evaluation(path, tiny_package, date=TODAY, note="Portable films.")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert (found.data, found.split, found.date) == ("elsewhere.csv", "test", TODAY)
    assert (found.images, found.patients) == (61, 61)
    assert found.judged == {"normal": 30, "pneumonia": 30}
    assert found.rejected == {"normal": 1, "pneumonia": 0}
    assert found.sources == ("elsewhere",)
    assert found.metrics["auroc"].value == record["metrics"]["auroc"]["value"]
    assert found.metrics["slope"].low == record["calibration"]["slope"]["low"]
    assert set(found.points) == {"triage", "balanced"}
    assert set(found.subgroups) == {"sex = (empty)", "sex = F", "sex = M"}
    assert found.note == "Portable films."


def test_evidence_survives_the_package_and_changes_nothing_that_it_computes(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    found = read_evaluation(
        evaluation(tiny_package, tmp_path / "e.json"), tiny_package, date=TODAY, name="our ward"
    )
    written = rewrite(add_evidence(tiny_package, [found]))
    assert evidence_of(written) == (found,)
    assert written.digest != tiny_package.digest
    assert written.graph_bytes() == tiny_package.graph_bytes()
    assert written.operating_points == tiny_package.operating_points
    assert written.calibration == tiny_package.calibration


def test_an_evaluation_from_before_the_last_one_was_added_still_counts(
    tiny_package: ModelPackage, tmp_path: Path
) -> None:
    """Adding evidence changes the digest, not the package that was measured."""
    first = evaluation(tiny_package, tmp_path / "1.json", source="north")
    second = evaluation(tiny_package, tmp_path / "2.json", source="south")
    package = rewrite(
        add_evidence(tiny_package, [read_evaluation(first, tiny_package, date=TODAY)])
    )
    package = rewrite(add_evidence(package, [read_evaluation(second, package, date=TODAY)]))
    assert [one.data for one in evidence_of(package)] == ["north.csv", "south.csv"]
    again = read_evaluation(
        evaluation(package, tmp_path / "3.json", source="north", strength=1.0), package, date=TODAY
    )
    package = rewrite(add_evidence(package, [again]))
    assert [one.data for one in evidence_of(package)] == ["north.csv", "south.csv"]
    assert evidence_of(package)[0] == again


@pytest.mark.parametrize(
    "about",
    [
        {"name": "other", "version": "1.2.0", "digest": "0" * 64},
        {"name": "tiny", "version": "1.2.0", "digest": "0" * 64},
    ],
)
def test_another_packages_evaluation_is_refused(
    tiny_package: ModelPackage, tmp_path: Path, about: dict[str, str]
) -> None:
    path = evaluation(tiny_package, tmp_path / "e.json", changes={"package": about})
    with pytest.raises(LungflagError, match=rf"e\.json: an evaluation of {about['name']}"):
        read_evaluation(path, tiny_package, date=TODAY)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": {"path": "x"}}', "\x00", "null"])
def test_what_is_no_evaluation_is_refused(
    tiny_package: ModelPackage, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "e.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LungflagError, match=r"e\.json: not what `lungflag evaluate --json` writes"):
        read_evaluation(path, tiny_package, date=TODAY)


def test_the_shift_bench_is_kept_in_brief(tiny_package: ModelPackage, tmp_path: Path) -> None:
    summary = {
        "source": "", "severity": 3, "mean_drop": 0.01, "worst": "noise", "worst_drop": 0.04,
        "histogram_drops": {"equalised": 0.02},
    }  # fmt: skip
    path = evaluation(
        tiny_package, tmp_path / "e.json", changes={"shift": {"summaries": [summary]}}
    )
    found = read_evaluation(path, tiny_package, date=TODAY)
    assert found.shift == {key: value for key, value in summary.items() if key != "source"}


def test_figures_from_the_making_and_failures_go_on_record(tiny_package: ModelPackage) -> None:
    figure = Development(
        what="trained without this hospital", data="north", images=100, patients=90,
        metric="AUROC", value=0.61, low=0.5, high=0.72,
    )  # fmt: skip
    package = add_failures(add_development(tiny_package, [figure]), ["It misses effusions."])
    package = rewrite(add_failures(package, ["It misses effusions.", "It flags scoliosis."]))
    assert package.provenance["known_failures"] == ["It misses effusions.", "It flags scoliosis."]
    assert package.provenance["development"][0]["value"] == 0.61
    card = package.card()
    assert (
        "trained without this hospital | north | 100 (90) | AUROC | 0.610 (0.500 to 0.720)" in card
    )
    assert "- It flags scoliosis." in card


@pytest.mark.parametrize("key", ["evidence", "development"])
def test_a_record_of_another_shape_is_named(tiny_package: ModelPackage, key: str) -> None:
    from dataclasses import replace

    from lungflag.card import render

    package = replace(tiny_package, provenance={key: [{"data": "x"}]})
    with pytest.raises(PackageError, match=f"provenance.{key}"):
        render(package)
