from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lungflag.data.audit import audit_manifest
from lungflag.data.audit.concerns import concerns
from lungflag.data.manifest import Manifest, Row
from lungflag.data.sources import open_data


@pytest.mark.shared
@pytest.mark.slow
def test_the_guangzhou_train_split(shared: Path) -> None:
    audit = audit_manifest(open_data(shared / "data" / "kermany224"), jobs=2)
    assert len(audit.manifest) == len(audit.measured) == 5216
    assert len(audit.exact) == 24
    assert sum(len(group.rows) for group in audit.exact) == 50
    assert not any(group.crosses_patients for group in audit.exact)
    assert audit.near == ()
    assert not any(concern.needs_person for concern in concerns(audit))
    auc = {probe.feature: probe.auc for probe in audit.probes}
    assert auc["height"] == auc["aspect_ratio"] == 0.5
    assert auc["file_size"] == pytest.approx(0.900, abs=0.002)


@pytest.mark.shared
@pytest.mark.slow
def test_the_published_files_give_their_label_away(shared: Path) -> None:
    audit = audit_manifest(open_data(shared / "data" / "originals"), jobs=2)
    auc = {probe.feature: probe.auc for probe in audit.probes}
    assert auc["file_size"] > 0.99
    assert auc["height"] > 0.9
    assert auc["aspect_ratio"] > 0.85


@pytest.mark.shared
def test_a_published_file_and_its_small_copy_are_found(shared: Path, tmp_path: Path) -> None:
    originals = sorted((shared / "data" / "originals").rglob("*.jpeg"))[::20]
    rows = []
    for original in originals:
        small = next((shared / "data" / "kermany224").rglob(original.name))
        copy = tmp_path / "PNEUMONIA" / f"small-{original.name}"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(small, copy)
        rows += [
            Row(original, "pneumonia", original.stem, "train"),
            Row(copy, "pneumonia", copy.stem, "test"),
        ]
    audit = audit_manifest(Manifest(tuple(rows)), jobs=2)
    assert len(audit.near) == len(originals)
    assert all(len(group.rows) == 2 and group.crosses_splits for group in audit.near)
