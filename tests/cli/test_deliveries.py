"""`lungflag deliveries`: what was given up is listed, and sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from lungflag.cli import app
from lungflag.service.ledger import Ledger
from lungflag.service.settings import load_settings
from tests.service.results import enter, make_results

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["deliveries", *arguments])


def test_what_was_given_up_is_listed_and_made_due_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGFLAG_FOLDER", str(tmp_path))
    targets = [{"name": "pacs", "kind": "dicom", "address": "PACS@192.0.2.7:104"}]
    settings = load_settings(None, {}, {"folder": tmp_path, "targets": targets})
    with Ledger.open(settings.database_url, create=True) as ledger:
        assert run("list").exit_code == 0
        enter(ledger, settings, make_results(tmp_path / "made"))
        for delivery in ledger.lease_deliveries("test", "pacs", 9, 60):
            reason = None if delivery.kind == "sr" else 0.0
            ledger.undelivered(delivery, f"does not take {delivery.kind}", reason)
        listed = run("list")
        assert listed.exit_code == 1
        assert listed.stderr == "1 given up, 1 due, 0 delivered\n"
        target, kind, *_, attempts, error = listed.stdout.strip().split("\t")
        assert (target, kind, attempts, error) == ("pacs", "sr", "1", "does not take sr")
        (row,) = run("list", "--json").stdout.splitlines()
        assert json.loads(row)["error"] == "does not take sr"
        assert run("list", "--target", "other").exit_code == 0
        assert run("retry", "--target", "other").stdout == "0 due again\n"
        assert run("retry").stdout == "1 due again\n"
        assert ledger.queue().deliveries_dead == 0
