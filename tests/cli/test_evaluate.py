from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.cli.commands import Command

if TYPE_CHECKING:
    from lungflag.package import ModelPackage


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(("evaluate",), monkeypatch, capsys)


def picture(path: Path, bright: float) -> None:
    """Write a picture, 64 x 64, of which the share `bright` is white and the rest black.

    The tiny package calls it pneumonia from a share of about one half on.
    """
    pixels = np.zeros((64, 64), dtype=np.uint8)
    pixels[: round(64 * bright)] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A manifest: train 2 and 2, tune 2 and 2, test 6 and 5 with one miss and one false alarm."""
    lines = ["path,label,patient,split,subtype"]
    for split, positives, normals in (
        ("train", [0.9, 0.8], [0.1, 0.2]),
        ("tune", [0.9, 0.8], [0.1, 0.2]),
        ("test", [0.9, 0.8, 0.85, 0.7, 0.75, 0.2], [0.1, 0.2, 0.15, 0.3, 0.8]),
    ):
        for label, shares in (("pneumonia", positives), ("normal", normals)):
            for i, share in enumerate(shares):
                name = f"{split}-{label}-{i}"
                picture(tmp_path / "images" / f"{name}.png", share)
                subtype = "" if label == "normal" else ("virus", "bacteria")[i % 2]
                lines.append(f"images/{name}.png,{label},{name},{split},{subtype}")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


@pytest.fixture
def package(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


def test_figures_of_the_test_split_are_printed_and_written(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    figures, table = tmp_path / "new" / "figures.json", tmp_path / "predictions.csv"
    ran = command(
        package, data, "--json", figures, "--predictions", table, "--by", "subtype", "--jobs", 2
    )
    assert ran.code == 0, ran
    assert ran.err == ""
    for text in ("tiny 1.2.0", "balanced: flagged from probability 0.5", "split 'test'",
                 "11 images of 11 patients", "sensitivity (recall)", "AUROC", "wilson",
                 "Confusion matrix", "By subtype", "(empty)", "bacteria"):  # fmt: skip
        assert text in ran.out, text
    assert "WARNING" not in ran.out
    assert max(map(len, ran.out.splitlines()[7:])) <= 80

    record = json.loads(figures.read_text(encoding="utf-8"))
    assert record["data"]["split"] == "test"
    assert record["metrics"]["sensitivity"]["value"] == pytest.approx(5 / 6)
    assert record["metrics"]["specificity"]["value"] == pytest.approx(4 / 5)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    flagged = [one["path"] for one in rows if one["flagged"] == "true"]
    assert len(rows) == 11
    assert [Path(path).stem for path in flagged] == [
        *(f"test-pneumonia-{i}" for i in range(5)),
        "test-normal-4",
    ]


def test_rejected_images_make_exit_code_1_and_are_listed(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    (images / "test-pneumonia-0.png").write_bytes(b"")
    (images / "test-normal-0.png").unlink()
    ran = command(package, data, "--json", tmp_path / "figures.json")
    assert ran.code == 1
    assert "rejected         2 (1 normal, 1 pneumonia)" in ran.out
    assert "test-pneumonia-0.png (pneumonia): " in ran.out
    assert "a rejected one is a wrong answer" in ran.out
    record = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert record["metrics"]["sensitivity"]["n"] == 5
    assert record["intention_to_diagnose"]["sensitivity"]["value"] == pytest.approx(4 / 6)
    assert len(record["rejected"]) == 2


def test_training_images_are_warned_of(command: Command, package: Path, data: Path) -> None:
    ran = command(package, data, "--split", "train")
    assert ran.code == 0
    assert "WARNING          4 of 4 images are of the split 'train'" in ran.out


def test_another_operating_point(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    ran = command(package, data, "--operating-point", "triage", "--json", tmp_path / "figures.json")
    assert ran.code == 0
    record = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert record["operating_point"] == {"name": "triage", "threshold": 0.4}


def test_the_report_and_the_shift_bench(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "images" / "test-normal-0.png").unlink()
    folder = tmp_path / "new" / "report"
    ran = command(
        *(package, data, "--by", "subtype", "--report", folder, "--shift", "--shift-images", "4"),
        *("--json", tmp_path / "figures.json"),
    )
    assert ran.code == 1
    assert f"report           {folder / 'index.html'}" in ran.out
    assert "Shift bench on 4 images" in ran.out
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "report.json"]
    record = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert record == json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert record["shift"]["images"] == 4
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 * 10
    assert "Grey levels alone" in page


def test_several_sources_are_told_apart_unasked(
    command: Command, package: Path, data: Path
) -> None:
    lines = data.read_text(encoding="utf-8").splitlines()
    sources = ["source", *(("here", "there")[i % 2] for i in range(len(lines) - 1))]
    data.write_text("\n".join(map(",".join, zip(lines, sources, strict=True))), encoding="utf-8")
    assert "By source" in command(package, data).out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--split", "tset"), "tset"),
        (("--operating-point", "loose"), "it has triage, balanced"),
        (("--by", "sex"), "no column 'sex' to group by; there are source, subtype"),
        (("--json", "manifest.csv/out.json"), "manifest.csv/out.json: cannot be written"),
        (("--predictions", "images"), "images: cannot be written"),
        (("--report", "manifest.csv"), "manifest.csv: cannot hold the report"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    command: Command,
    package: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(data.parent)
    ran = command(package, data, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_all_images_rejected_is_an_error_and_the_predictions_are_kept(
    command: Command, package: Path, data: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "images").iterdir():
        path.write_text("not an image", encoding="utf-8")
    folder = tmp_path / "report"
    ran = command(package, data, "--predictions", tmp_path / "out.csv", "--report", folder)
    assert ran.code == 2
    assert not list(folder.iterdir())
    assert "none of 11 images could be judged" in ran.err
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("rejection") == 11


def test_help_loads_no_statistics() -> None:
    code = (
        "import sys; sys.argv = ['lungflag', 'evaluate', '--help']\n"
        "from lungflag.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'scipy', 'sklearn', 'matplotlib', 'jinja2', 'torch', 'onnxruntime'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Example: lungflag evaluate" in " ".join(done.stdout.split())
