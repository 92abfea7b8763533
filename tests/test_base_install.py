"""The base install alone, in a clean virtual environment, does the main job without torch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_IN_THE_CLEAN_ENVIRONMENT = """
import importlib.util, sys
assert importlib.util.find_spec("torch") is None
from lungflag.cli import app
studies, table = sys.argv[1:]
app(["data", "phantom", studies, "--n", "3", "--format", "dicom"], standalone_mode=False)
app(["detect", studies, "--model", "phantom", "--table", table, "--overlays", studies + "-seen"],
    standalone_mode=False)
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        check=True, capture_output=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def _install(wheel: Path, home: Path, extras: str = "") -> Path:
    """Return the Python of a fresh virtual environment that holds the wheel."""
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = home / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*command, f"{wheel}{extras}"], check=True, capture_output=True)
    return python


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}


@pytest.mark.slow
def test_the_demo_shows_the_station_without_torch(wheel: Path, tmp_path: Path) -> None:
    python = _install(wheel, tmp_path / "venv", "[station]")
    done = subprocess.run(
        [str(python.with_name("lungflag")), "demo", "shown", "--once"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=_clean(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 synthetic studies came by C-STORE" in done.stdout
    assert re.search(r"[1-9]\d* flagged .*[1-9]\d* not flagged, 1 rejected", done.stdout)
    assert re.search(r"worklist: http://127\.0\.0\.1:\d+/", done.stdout)
    look = "import importlib.util as u; assert u.find_spec('torch') is None"
    subprocess.run([str(python), "-c", look], check=True)


@pytest.mark.slow
def test_the_base_detects_without_torch(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    python = _install(wheel, home)
    table = tmp_path / "out.jsonl"
    command = [str(python), "-W", "error", "-c", _IN_THE_CLEAN_ENVIRONMENT]
    done = subprocess.run(
        [*command, str(tmp_path / "studies"), str(table)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=_clean(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert sum(row["outcome"] == "finding" for row in rows) == 3

    for extra, words in (
        ("train", ("train", str(tmp_path), "--out", str(tmp_path / "p"))),
        ("station", ("demo", str(tmp_path / "demo"))),
    ):
        refused = subprocess.run(
            [str(home / "bin" / "lungflag"), *words],
            capture_output=True, text=True, check=False, env=_clean(),
        )  # fmt: skip
        assert refused.returncode == 2
        needs = f"lungflag {words[0]} needs an extra: pip install 'lungflag[{extra}]'"
        assert needs in refused.stderr
