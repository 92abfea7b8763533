"""The benchmarks start, say what they measure, and their page keeps its own bars."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "benchmarks" / "run.py"
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if "**" in line]


def test_the_benchmarks_teach_every_figure() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "--help"], capture_output=True, text=True, check=True
    )
    taught = re.findall(r"^  (\w+) +[A-Z].*\.$", done.stdout.split("figures:")[1], re.MULTILINE)
    written = (ROOT / "benchmarks" / "figures.py").read_text(encoding="utf-8")
    functions = re.findall(r"^def ([a-z]\w+)\(setting: Setting\) -> Iter", written, re.MULTILINE)
    assert taught == functions


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} - {row[1]}" for row in ROWS])
def test_the_page_says_of_every_figure_whether_it_reaches_its_bar(row: list[str]) -> None:
    ratio, bar, verdict = row[3:]
    value = float(re.findall(r"[\d.]+", ratio)[0])
    wanted = float(re.findall(r"[\d.]+", bar)[0])
    met = value <= wanted if bar.startswith("at most") else value >= wanted
    assert verdict == ("met" if met else "missed")


def test_the_page_describes_the_machine_and_the_peers() -> None:
    assert len(ROWS) >= 11
    (machine,) = re.findall(r"^Measured on .*$", PAGE, re.MULTILINE)
    for line in (ROOT / "benchmarks" / "peers.txt").read_text(encoding="utf-8").splitlines()[1:]:
        assert line.replace("==", " ") in machine
