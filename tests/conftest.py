"""What every test may ask for: the shared radiographs and the tools that Debian brings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

pytest_plugins = ["tests.packages"]  # the fixtures make_package and tiny_package

# Derandomised, so that a red test is red again; `make proof` searches widely instead.
settings.register_profile("short", derandomize=True, deadline=None)
settings.register_profile("proof", max_examples=2000, deadline=None)
settings.load_profile("short")  # --hypothesis-profile=proof comes after and wins

SHARED = Path(__file__).resolve().parents[2] / "shared"


def missing(what: str) -> NoReturn:
    """Skip on a developer's machine; fail in CI, which promises to have everything."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must not skip")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with the real radiographs and weights."""
    if not (SHARED / "data").is_dir():
        missing("the folder ../shared")
    return SHARED


def tool(name: str) -> str:
    """Return the path of an external program."""
    path = shutil.which(name)
    if path is None:
        missing(f"the program {name}")
    return str(path)
