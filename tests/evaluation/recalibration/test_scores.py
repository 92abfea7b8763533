from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungflag.calibration import Calibration
from lungflag.data.manifest import Row
from lungflag.errors import ManifestError
from lungflag.evaluation import Prediction
from lungflag.evaluation.recalibration import Scores, read_scores, scores_of


def scores(rows: list[tuple[bool, int]]) -> Scores:
    positive, patient = (np.array(column) for column in zip(*rows, strict=True))
    return Scores(np.linspace(-1, 1, len(rows)), positive, patient)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60).filter(
        lambda rows: len({positive for positive, _ in rows}) == 2
    ),
    st.integers(0, 3),
)
def test_folds_hold_every_image_out_once_and_no_patient_on_both_sides(
    rows: list[tuple[bool, int]], seed: int
) -> None:
    data = scores(rows)
    folds = data.folds(seed)
    if min(data.patients(True), data.patients(False)) == 1:
        assert folds == []
    held = [int(i) for _, part in folds for i in part]
    assert sorted(held) == (list(range(len(data))) if folds else [])
    for fit, part in folds:
        assert not set(data.patient[fit]) & set(data.patient[part])
        assert len(np.unique(data.positive[fit])) == 2


def test_the_logit_behind_a_probability_is_found_again() -> None:
    calibration = Calibration(slope=0.7, intercept=-1.5)
    logits = np.array([-40.0, -3.0, 0.25, 12.0, 35.0])
    predictions = [
        Prediction(
            Row(Path(f"{i}.png"), "pneumonia" if i % 2 else "normal", f"p{i // 2}"),
            calibration(logit),
            True,
        )
        for i, logit in enumerate(logits)
    ]
    predictions.append(Prediction(Row(Path("x.png"), "normal", "p9"), None, None, "blank"))
    found = scores_of(predictions, calibration)
    assert found.logit == pytest.approx(logits, rel=1e-4)
    assert found.positive.tolist() == [False, True, False, True, False]
    assert found.patient.tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("label", [True, False])
def test_one_label_alone_is_refused(label: bool) -> None:
    missing = "normal" if label else "pneumonia"
    with pytest.raises(ManifestError, match=f"no judged image is labelled {missing}"):
        scores([(label, 0), (label, 1)])


def test_a_table_of_scores_is_read(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    table.write_text(
        "source,patient,label,logit\n"
        "a,p1,pneumonia,2.5\n"
        "b,p1,0,-1\n"
        "a,p1,normal,0.5\n"
        "a,p2,normal,\n",
        encoding="utf-8",
    )
    found = read_scores(table)
    assert found.logit.tolist() == [2.5, -1.0, 0.5]
    assert found.positive.tolist() == [True, False, False]
    assert found.patient.tolist() == [0, 1, 0]

    table.write_text("patient,label,probability\n1,1,0.75\n2,0,0.25\n", encoding="utf-8")
    assert read_scores(table).logit == pytest.approx([np.log(3), -np.log(3)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs rows and the columns"),
        ("patient,label\np,normal\n", "needs rows and the columns"),
        ("patient,label,logit\np,normal,much\n", "line 2: could not convert"),
        ("patient,label,logit\np,maybe,1\n", "line 2: label 'maybe'"),
        ("patient,label,logit\np,normal,1\n", "no judged image is labelled pneumonia"),
        ("patient,label,logit\np,normal,nan\nq,pneumonia,1\n", "not finite"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, reason: str) -> None:
    table = tmp_path / "scores.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=f"scores.csv.*{reason}"):
        read_scores(table)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.csv: cannot be read"):
        read_scores(tmp_path / "none.csv")
