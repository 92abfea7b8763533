"""`lungflag check`: a line for each thing, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from lungflag.cli import app
from tests.service.orthanc import free_port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGFLAG_FOLDER", str(tmp_path / "service"))
    monkeypatch.setenv("LUNGFLAG_KEEP_FREE_MIB", "0")


def test_faults_are_said_with_what_to_do_and_the_exit_code_tells(tmp_path: Path) -> None:
    ports = ["--port", str(free_port()), "--http-port", str(free_port())]
    done = CliRunner().invoke(app, ["check", "--model", str(tmp_path), *ports])
    assert done.exit_code == 1
    bad = [line for line in done.stdout.splitlines() if not line.startswith("ok  ")]
    assert [line.partition(":")[0] for line in bad] == ["BAD model"]
    assert bad[0].endswith(" -> see model, operating_point and memory_mib")
    done = CliRunner().invoke(app, ["check", "--model", str(tmp_path), "--json", *ports])
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert [name for name, row in rows.items() if not row["fine"]] == ["model"]


def test_it_makes_the_ledger(tmp_path: Path) -> None:
    ports = ["--port", str(free_port()), "--http-port", str(free_port())]
    done = CliRunner().invoke(app, ["check", "--model", "phantom", "--create", *ports])
    assert done.exit_code == 0, done.stdout
    assert (tmp_path / "service" / "ledger.db").is_file()
    assert all(line.startswith("ok  ") for line in done.stdout.splitlines())
