"""People: accounts, sessions, roles, passwords."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from lungflag.errors import ConfigurationError
from lungflag.service.ledger.schema import sessions, users
from lungflag.station.accounts.first import FILE, make_first_admin
from lungflag.station.accounts.passwords import Passwords, fault, new_password
from lungflag.station.accounts.people import IDLE, LONGEST, add_user, change_user, find_user
from tests.station.desk import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from lungflag.service.ledger import Ledger
    from tests.station.desk import Desk

SESSION, ME, USERS = "/api/v1/session", "/api/v1/me", "/api/v1/users"


def _sign_in(client: TestClient, name: str, password: str) -> int:
    return client.post(SESSION, json={"name": name, "password": password}).status_code


def test_who_is_unknown_gets_a_problem(desk: Desk) -> None:
    answer = desk.client().get(ME)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["instance"] == ME
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance"}


def test_a_person_signs_in_and_out(desk: Desk) -> None:
    ann = desk.person("ann", "operator")
    me = ann.get(ME).json()
    assert (me["name"], me["role"], me["sign_in"]) == ("ann", "operator", True)
    assert me["product"]["package"] == "phantom"
    assert ann.delete(SESSION).status_code == 204
    assert ann.get(ME).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    add_user(desk.ledger.database, "ann", Passwords().make(PASSWORD), "reader")
    answer = desk.client().post(SESSION, json={"name": "ann", "password": PASSWORD})
    facts = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= set(facts.split("; "))
    assert facts.startswith("lungflag=")


def test_only_hashes_are_kept(desk: Desk) -> None:
    ann = desk.person()
    token = ann.cookies["lungflag"]
    with desk.ledger.database.engine.connect() as connection:
        (kept,) = connection.execute(select(sessions.c.token_hash)).scalars()
        (hashed,) = connection.execute(select(users.c.password_hash)).scalars()
    assert token not in kept
    assert hashed.startswith("$argon2id$")
    assert PASSWORD not in hashed


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_look_the_same(
    desk: Desk, name: str, password: str
) -> None:
    desk.person("ann")
    answer = desk.client().post(SESSION, json={"name": name, "password": password})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the name or the password is wrong"


def test_guessing_is_slowed_down(desk: Desk) -> None:
    desk.person("ann")
    stranger = desk.client()
    assert [_sign_in(stranger, "ann", f"wrong {n}") for n in range(7)] == [401] * 5 + [429] * 2
    answer = stranger.post(SESSION, json={"name": "ann", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 61
    assert _sign_in(stranger, "bob", "wrong") == 401  # another account is not in the way


def test_signing_in_often_is_not_guessing(desk: Desk) -> None:
    desk.person("ann")
    assert {_sign_in(desk.client(), "ann", PASSWORD) for _ in range(12)} == {204}


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
def test_a_session_ends(desk: Desk, column: str) -> None:
    ann = desk.person()
    past = datetime.now(UTC) - (IDLE if column == "seen_at" else timedelta(seconds=1))
    with desk.ledger.database.engine.begin() as connection:
        connection.execute(update(sessions).values({column: past}))
    assert ann.get(ME).status_code == 401
    assert IDLE < LONGEST


@pytest.mark.parametrize(
    "change", [{"disabled": True}, {"role": "operator"}, {"password": "x" * 5 + PASSWORD}]
)
def test_a_change_of_an_account_ends_its_sessions(desk: Desk, change: dict[str, object]) -> None:
    ann, root = desk.person("ann"), desk.person("root", "admin")
    number = next(one["id"] for one in root.get(USERS).json() if one["name"] == "ann")
    assert root.patch(f"{USERS}/{number}", json=change).status_code == 200
    assert ann.get(ME).status_code == 401
    assert _sign_in(desk.client(), "ann", PASSWORD) == (204 if "role" in change else 401)


def test_the_last_admin_stays_one(desk: Desk) -> None:
    root = desk.person("root", "admin")
    for change in ({"disabled": True}, {"role": "reader"}):
        answer = root.patch(f"{USERS}/1", json=change)
        assert (answer.status_code, answer.json()["title"]) == (409, "Not possible")
    desk.person("second", "admin")
    assert root.patch(f"{USERS}/1", json={"role": "reader"}).status_code == 200


def test_accounts_are_an_admins(desk: Desk) -> None:
    for role in ("reader", "operator"):
        client = desk.person(role, role)
        assert client.get(USERS).status_code == 403
        assert client.post(USERS, json={"name": "x", "password": PASSWORD}).status_code == 403
        assert client.get("/api/v1/keys").status_code == 403


def test_an_account_is_made_once_and_checked(desk: Desk) -> None:
    root = desk.person("root", "admin")
    new = {"name": "bob", "password": PASSWORD, "role": "operator"}
    assert root.post(USERS, json=new).status_code == 201
    assert root.post(USERS, json=new).status_code == 409
    for wrong in (
        {"name": "Bob"},
        {"name": "../bob"},
        {"name": "local"},
        {"name": "key:bob.12345678"},
        {"password": "short"},
        {"name": "bobby", "password": "bobby1234567"},
        {"role": "owner"},
        {"extra": 1},
    ):
        assert root.post(USERS, json=new | {"name": "carl"} | wrong).status_code == 422, wrong
    assert root.patch(f"{USERS}/999", json={"disabled": True}).status_code == 404


def test_a_person_changes_the_password(desk: Desk) -> None:
    ann = desk.person()
    new = "another long password 8"
    given = {"old": "wrong", "new": new}
    assert ann.put("/api/v1/me/password", json=given).status_code == 403
    assert ann.put("/api/v1/me/password", json=given | {"old": PASSWORD}).status_code == 204
    assert ann.get(ME).status_code == 401
    assert _sign_in(desk.client(), "ann", new) == 204


def test_an_old_hash_is_made_anew(desk: Desk) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    add_user(desk.ledger.database, "ann", weak, "reader")
    assert _sign_in(desk.client(), "ann", PASSWORD) == 204
    kept = find_user(desk.ledger.database, "ann")
    assert kept is not None
    assert kept.password_hash != weak
    assert _sign_in(desk.client(), "ann", PASSWORD) == 204


def test_the_first_admin_is_made_once(desk: Desk, tmp_path: Path) -> None:
    database = desk.ledger.database
    file = make_first_admin(database, tmp_path)
    assert file == tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _sign_in(desk.client(), "admin", file.read_text().strip()) == 204
    assert make_first_admin(database, tmp_path) is None


def test_new_passwords_are_good_ones() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert not any(fault(one, "admin") for one in made)
    assert fault("a" * 20, "x")
    assert fault("short", "x")


@pytest.mark.parametrize("name", ["", "A", "a b", "local", "-a", "a" * 65, "a\n", "=cmd"])
def test_a_name_is_plain(desk: Desk, name: str) -> None:
    with pytest.raises(ConfigurationError):
        add_user(desk.ledger.database, name, "", "reader")


def test_two_admins_cannot_disable_each_other(ledger: Ledger) -> None:
    database = ledger.database
    for name in ("a", "b"):
        add_user(database, name, "", "admin")
    assert change_user(database, 1, disabled=True) == ""
    assert change_user(database, 2, disabled=True)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 2
