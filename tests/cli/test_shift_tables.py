from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.cli._shift_tables import show_shift
from lungflag.data.manifest import Manifest, Row
from lungflag.detector import Detector
from lungflag.evaluation.shift import run_shift

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.package import ModelPackage


def test_the_shift_bench_is_printed_within_eighty_columns(
    tmp_path: Path, tiny_package: ModelPackage, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, rows = np.random.default_rng(0), []
    for n in range(16):
        path = tmp_path / f"{n}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(path)
        label, source = ("normal", "pneumonia")[n % 2], ("east", "west")[n // 8]
        rows.append(Row(path, label, str(n), "test", source, {"subtype": "virus"}))
    assert tiny_package.folder is not None
    detector = Detector.load(tiny_package.folder, threads=1)
    result = run_shift(
        *(detector, Manifest(tuple(rows))),
        corruptions=["resampling-filter", "burned-in-letters", "matched"],
        severities=(3,),
        resamples=50,
    )
    show_shift(result)
    printed = capsys.readouterr().out
    row = result.row("burned-in-letters", 3, "west")
    line = next(
        line
        for line in printed[printed.index("\nwest, severity 3") :].splitlines()
        if line.startswith("burned-in-letters")
    )
    assert line.split()[1] == f"{row.auroc.value:.3f}"
    for text in ("16 of 16 images", "matched", "virus", "global intensity", "within one label"):
        assert text in printed
    tables = printed[printed.index("\nall images, severity 3") :]
    assert max(map(len, tables.splitlines())) <= 80
