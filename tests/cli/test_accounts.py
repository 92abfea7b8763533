"""`lungflag accounts`: people and keys from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from lungflag.cli import app
from lungflag.cli.station import station_lines
from lungflag.errors import ConfigurationError
from lungflag.service.ledger import Ledger
from lungflag.station.accounts.keys import PATTERN, find_key
from lungflag.station.accounts.passwords import Passwords
from lungflag.station.accounts.people import find_user

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "a good long password 7"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a service that has not been used."""
    monkeypatch.setenv("LUNGFLAG_FOLDER", str(tmp_path))
    return tmp_path


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["accounts", *arguments], input=given)


def test_people_are_added_disabled_and_given_passwords(folder: Path) -> None:
    assert "nobody yet" in run("list").stdout
    added = run("add", "ann", "--role", "operator", given=f"{PASSWORD}\n{PASSWORD}\n")
    assert added.exit_code == 0
    assert PASSWORD not in added.output
    assert run("add", "root", "--role", "admin", "--stdin", given=f"{PASSWORD}\n").exit_code == 0
    assert run("list").stdout.splitlines() == ["ann\toperator", "root\tadmin"]
    assert run("disable", "ann").exit_code == 0
    assert "ann\toperator\tdisabled" in run("list").stdout
    assert run("disable", "ann", "--enable").exit_code == 0
    assert run("password", "ann", "--stdin", given="another long one 8\n").exit_code == 0
    with Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        kept = find_user(ledger.database, "ann")
        assert kept is not None
        assert Passwords().fits("another long one 8", kept.password_hash)
        with ledger.database.engine.connect() as connection:
            messages = [*connection.exec_driver_sql("SELECT message FROM audit").scalars()]
    assert len(messages) == 5


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["add", "Not A Name", "--stdin"], "an account's name has"),
        (["add", "bob", "--stdin", "--role", "owner"], "there is no role owner"),
        (["add", "ann", "--stdin"], "there is an account ann already"),
        (["disable", "nobody"], "there is no account nobody"),
        (["disable", "ann"], "the last admin cannot be disabled"),
        (["keys", "--make", "m", "--scopes", "all"], "a key has one or more of"),
        (["keys", "--revoke", "x"], "there is no key x"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: list[str], reason: str) -> None:
    run("add", "ann", "--role", "admin", "--stdin", given=f"{PASSWORD}\n")
    ran = run(*arguments, given=f"{PASSWORD}\n")
    assert isinstance(ran.exception, ConfigurationError)
    assert reason in str(ran.exception)


@pytest.mark.usefixtures("folder")
def test_a_weak_password_is_refused() -> None:
    assert "12 to 256 characters" in str(run("add", "ann", "--stdin", given="short\n").exception)


def test_keys_are_made_listed_and_revoked(folder: Path) -> None:
    assert "no keys yet" in run("keys").stdout
    made = run("keys", "--make", "router", "--scopes", "images:write, studies:read")
    text = made.stdout.strip()
    assert PATTERN.fullmatch(text)
    assert "only time" in made.stderr
    listed = run("keys").stdout
    assert "router\timages:write,studies:read\tuntil" in listed
    assert text not in listed
    with Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        assert find_key(ledger.database, text) is not None
        assert run("keys", "--revoke", text.split("_")[1]).exit_code == 0
        assert find_key(ledger.database, text) is None
    assert "revoked" in run("keys").stdout


def test_a_log_gets_the_file_and_not_the_password(folder: Path) -> None:
    file = folder / "admin-password"
    file.write_text("the password\n")
    lines = station_lines("http://127.0.0.1:1/", file)  # no terminal here
    assert not any("the password" in line.replace("the password in", "") for line in lines)
    assert str(file) in lines[1]
    assert file.exists()
    assert len(station_lines("http://127.0.0.1:1/", None)) == 1
