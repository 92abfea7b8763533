"""The base install alone, in a clean virtual environment, does the main job without torch."""

from __future__ import annotations

import json
import os
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


@pytest.mark.slow
def test_the_base_detects_without_torch(tmp_path: Path) -> None:
    wheels, home = tmp_path / "wheels", tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(wheels), str(ROOT)],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    (wheel,) = wheels.glob("*.whl")
    python = home / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    install = [str(python), "-m", "pip", "install", "-q", "-c", str(constraints), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)

    table = tmp_path / "out.jsonl"
    command = [str(python), "-W", "error", "-c", _IN_THE_CLEAN_ENVIRONMENT]
    done = subprocess.run(
        [*command, str(tmp_path / "studies"), str(table)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert sum(row["outcome"] == "finding" for row in rows) == 3

    refused = subprocess.run(
        [str(home / "bin" / "lungflag"), "train", str(tmp_path), "--out", str(tmp_path / "p")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "lungflag train needs an extra: pip install 'lungflag[train]'" in refused.stderr
