"""The API keeps to its own description: the short, seeded form of `tests.station.api_cases`."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_no_answer_is_an_error_undocumented_or_given_to_anybody() -> None:
    # In a process of its own, since the connections that it leaves open are many.
    command = [sys.executable, "-m", "tests.station.api_cases", "--cases", "600", "--examples", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failures " in done.stdout
    assert "500: " not in done.stdout
