from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from tests.cli.commands import Command
from tests.packages import build_graph

if TYPE_CHECKING:
    from tests.packages import PackageMaker

SHARES = {
    "pneumonia": (0.9, 0.8, 0.85, 0.7, 0.75, 0.2, 0.65, 0.95),
    "normal": (0.1, 0.2, 0.15, 0.3, 0.8, 0.25, 0.05, 0.35),
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(("compare",), monkeypatch, capsys)


def contrary_graph() -> bytes:
    """The tiny graph with its logit turned round: it calls dark pictures pneumonia."""
    model = onnx.load_from_string(build_graph())
    for constant in model.graph.initializer:
        if constant.name == "scale":
            constant.CopyFrom(numpy_helper.from_array(np.array(-16.0, np.float32), "scale"))
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def packages(tmp_path: Path, make_package: PackageMaker) -> tuple[Path, Path]:
    folder = tmp_path / "packages"
    make_package(folder / "tiny")
    make_package(folder / "contrary", graph=contrary_graph(), name="contrary")
    return folder / "tiny", folder / "contrary"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixteen pictures, two a patient; the tiny package misses one and raises one false alarm."""
    lines = ["path,label,patient,split"]
    for label, shares in SHARES.items():
        for i, share in enumerate(shares):
            pixels = np.zeros((64, 64), dtype=np.uint8)
            pixels[: round(64 * share)] = 255
            file = tmp_path / "images" / f"{label}-{i}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(file)
            lines.append(f"images/{file.name},{label},{label}-{i // 2},test")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return manifest


def test_two_packages_are_compared_printed_written_and_drawn(
    command: Command, packages: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    figures, forest = tmp_path / "new" / "figures.json", tmp_path / "forest.svg"
    ran = command(*packages, data, "--json", figures, "--figure", forest, "--jobs", 2)
    assert ran.code == 0, ran
    assert ran.err == ""
    for text in ("16 images of 8 patients", "split 'test'", "contrary less tiny", "AUROC",
                 "Holm", "alone", "balanced"):  # fmt: skip
        assert text in ran.out, text
    assert max(map(len, ran.out.splitlines()[2:])) <= 80

    record = json.loads(figures.read_text(encoding="utf-8"))
    tiny, contrary = record["packages"]
    assert [one["name"] for one in record["packages"]] == ["tiny", "contrary"]
    assert tiny["metrics"]["sensitivity"]["value"] == pytest.approx(7 / 8)
    assert tiny["differences"] == {}
    assert tiny["metrics"]["auroc"]["value"] + contrary["metrics"]["auroc"]["value"] == (
        pytest.approx(1)
    )
    sensitivity = contrary["differences"]["sensitivity"]
    assert sensitivity["value"] == pytest.approx(1 / 8 - 7 / 8)
    assert (sensitivity["first_only"], sensitivity["second_only"]) == (7, 1)
    assert sensitivity["p"] > sensitivity["p_unclustered"]
    assert ElementTree.parse(forest).getroot().tag.endswith("svg")


def test_a_png_is_drawn(
    command: Command, packages: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    ran = command(*packages, data, "--figure", tmp_path / "forest.png")
    assert ran.code == 0, ran
    with Image.open(tmp_path / "forest.png") as image:
        assert image.width > 1000


def test_what_a_package_rejects_is_left_out_for_all_counted_and_listed(
    command: Command, packages: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    (tmp_path / "images" / "pneumonia-5.png").write_bytes(b"")
    ran = command(*packages, data, "--json", tmp_path / "figures.json")
    assert ran.code == 1
    assert "compared  15 images that every package judged (8 normal, 7 pneumonia)" in ran.out
    assert "a rejected one is a wrong answer" in ran.out
    assert "rejected by a package or more: 1" in ran.out
    assert "pneumonia-5.png (pneumonia): tiny: " in ran.out
    record = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert set(record["rejected"][0]["reasons"]) == {"tiny", "contrary"}
    assert record["packages"][0]["rejected"] == {"normal": 0, "pneumonia": 1}
    assert record["packages"][0]["metrics"]["sensitivity"]["value"] == 1
    assert record["packages"][0]["intention_to_diagnose"]["sensitivity"]["value"] == 7 / 8


def test_packages_of_one_name_are_told_apart(
    command: Command, packages: tuple[Path, Path], make_package: PackageMaker, data: Path
) -> None:
    newer, same = packages[0].with_name("newer"), packages[0].with_name("same")
    make_package(newer, version="2.0.0")
    make_package(same)
    ran = command(packages[0], newer, same, data, "--operating-point", "triage")
    assert ran.code == 0, ran
    assert "tiny 2.0.0" in ran.out
    assert "/same" in ran.out.replace("\n", "")
    assert "alike" in ran.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("packages/tiny", "manifest.csv"), "two or more packages and then the data set"),
        (("manifest.csv",), "two or more packages and then the data set"),
        (("packages/tiny", "packages/contrary"), "packages/contrary: is a model package; the last"),
        (("phantom", "guangzhou"), "guangzhou: is a model package; the last"),
        (("packages/tiny", "packages/tiny", "manifest.csv"), "packages/tiny: given twice"),
        (("packages/tiny", "nothing", "manifest.csv"), "nothing: no model package of that name"),
        (("packages/tiny", "packages/contrary", "no.csv"), "no.csv: no such file"),
        (("packages/tiny", "packages/contrary", "manifest.csv", "--split", "tune"), "'tune'"),
        (
            ("packages/tiny", "packages/contrary", "manifest.csv", "--operating-point", "loose"),
            "no operating point 'loose'",
        ),
        (
            ("packages/tiny", "packages/contrary", "manifest.csv", "--figure", "forest.gif"),
            "forest.gif: the figure's name must end in .png or .svg",
        ),
        (
            ("packages/tiny", "packages/contrary", "manifest.csv", "--json", "images"),
            "images: cannot be written",
        ),
    ],
)
@pytest.mark.usefixtures("packages")
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    command: Command,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(data.parent)
    ran = command(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_nothing_that_every_package_judged_is_an_error(
    command: Command, packages: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "images").iterdir():
        path.write_text("not an image", encoding="utf-8")
    ran = command(*packages, data)
    assert ran.code == 2
    assert "none of 16 images was judged by every package; the first, " in ran.err


def test_help_loads_no_statistics() -> None:
    code = (
        "import sys; sys.argv = ['lungflag', 'compare', '--help']\n"
        "from lungflag.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'scipy', 'sklearn', 'torch', 'onnxruntime', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Example: lungflag compare" in " ".join(done.stdout.split())
