"""`lungflag detect --dicom` and `--fhir`: coded results of DICOM inputs, a line for the others."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from lungflag.phantom import make_phantom, write_dicom
from tests.cli.commands import Command
from tests.outputs.verifiers import complaints, dumped
from tests.radiograph.objects import content, dx

if TYPE_CHECKING:
    from pathlib import Path

    from lungflag.package import ModelPackage


@pytest.fixture
def detect(
    tiny_package: ModelPackage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(("detect", "--model", str(tiny_package.folder)), monkeypatch, capsys)


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Return a folder with two films, a slice, a picture, a text and a DICOM file without UIDs."""
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in (1, 2):
        write_dicom(make_phantom(seed, pneumonia=seed == 2, size=96), folder / f"film{seed}.dcm")
    stored = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    slice_ = dx(stored, 12, SOPClassUID=CTImageStorage, Modality="CT")
    (folder / "slice.dcm").write_bytes(content(slice_))
    nameless = dx(stored, 12)
    del nameless.StudyInstanceUID
    (folder / "nameless.dcm").write_bytes(content(nameless))
    Image.fromarray((stored // 16).astype(np.uint8)).save(folder / "picture.png")
    (folder / "note.txt").write_text("hello", encoding="utf-8")
    return folder


def test_every_dicom_input_gets_its_report(detect: Command, studies: Path) -> None:
    out = studies / "results"
    ran = detect(studies, "--dicom", out, "--jobs", "2", "--json")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert len(rows) == 6
    assert ran.code == 1  # rejections
    assert "3 inputs are no whole DICOM images, so they got no coded result; the first" in ran.err
    assert "not written" not in ran.err
    names = sorted(path.name for path in out.iterdir())
    assert [name.partition(".dcm-")[0] for name in names] == ["film1"] * 2 + ["film2"] * 2 + [
        "slice"
    ]
    for path in out.iterdir():
        made = dcmread(path)
        assert not [line for line in complaints(made) if line.startswith("Error")]
        assert made.Modality == ("SR" if path.name.endswith(".sr.dcm") else "OT")
    (report,) = (dcmread(path) for path in out.iterdir() if path.name.startswith("slice"))
    text = dumped(report)
    assert "Insufficient quality for interpretation" in text
    assert "CT Image Storage" in text or "is no projection radiograph" in text


def test_fhir_bundles_for_the_same_inputs(detect: Command, studies: Path) -> None:
    out = studies / "bundles"
    detect(studies, "--fhir", out, "--quiet")
    bundles = [json.loads(path.read_text(encoding="utf-8")) for path in out.iterdir()]
    assert len(bundles) == 3
    absent = [bundle["entry"][1]["resource"].get("dataAbsentReason") for bundle in bundles]
    assert sum(reason is not None for reason in absent) == 1


def test_a_second_run_says_the_same_again(detect: Command, studies: Path) -> None:
    out = studies / "results"
    detect(studies, "--dicom", out)
    first = {path.name: dcmread(path).SOPInstanceUID for path in out.iterdir()}
    detect(studies, "--dicom", out)
    assert {path.name: dcmread(path).SOPInstanceUID for path in out.iterdir()} == first


def test_a_report_that_fails_loses_nothing_else(
    detect: Command, studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lungflag.outputs import structured_report

    build = structured_report.build_report

    def faulty(*arguments: object) -> object:
        if "film1" in arguments[0].source:  # type: ignore[attr-defined]
            raise MemoryError("too large")
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(structured_report, "build_report", faulty)
    out = studies / "results"
    ran = detect(studies / "film1.dcm", studies / "film2.dcm", "--dicom", out)
    assert ran.code == 1
    assert len(ran.out.splitlines()) == 2
    assert "1 outputs not written; the first: " in ran.err
    assert "film1.dcm: too large" in ran.err
    assert len(list(out.iterdir())) == 3


def test_a_folder_that_cannot_be_written_judges_nothing(detect: Command, studies: Path) -> None:
    for option in ("--dicom", "--fhir"):
        ran = detect(studies, option, studies / "note.txt")
        assert (ran.code, ran.out) == (2, "")
        assert "note.txt: cannot be written" in ran.err


@pytest.mark.parametrize(("option", "module"), [("--dicom", "highdicom"), ("--fhir", "fhirclient")])
def test_a_missing_extra_is_named_before_the_run(
    tiny_package: ModelPackage, studies: Path, option: str, module: str
) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from lungflag.cli import main\n"
        "main()\n"
    )
    arguments = ["detect", studies, "--model", tiny_package.folder, option, studies / "out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        f"error: lungflag detect {option} needs an extra: pip install 'lungflag[dicom]'\n"
    )
