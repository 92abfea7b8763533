"""Machines: keys, scopes, and where keys must not be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from lungflag.errors import ConfigurationError
from lungflag.service.ledger.schema import api_keys
from lungflag.station.accounts.keys import PATTERN, add_key, find_key, list_keys, revoke_key

if TYPE_CHECKING:
    from lungflag.service.ledger import Ledger
    from tests.station.desk import Desk

KEYS, ME = "/api/v1/keys", "/api/v1/me"


def test_a_key_is_told_once_and_kept_as_a_hash(desk: Desk) -> None:
    root = desk.person("root", "admin")
    given = {"name": "router", "scopes": ["images:write", "studies:read"]}
    made = root.post(KEYS, json=given)
    assert made.status_code == 201
    key = made.json()["key"]
    assert PATTERN.fullmatch(key)
    assert key not in root.get(KEYS).text
    with desk.ledger.database.engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert key.split("_", 2)[2] not in kept
    machine = desk.client(headers={"Authorization": f"Bearer {key}"})
    me = machine.get(ME).json()
    assert me["name"] == f"key:router.{made.json()['prefix']}"
    assert me["scopes"] == ["images:write", "studies:read"]
    assert (me["role"], me["csrf"]) == ("", "")


def test_a_key_may_what_it_was_made_for(desk: Desk) -> None:
    machine = desk.machine("metrics:read")
    assert machine.get("/api/v1/quality").status_code == 403
    assert machine.get("/api/v1/users").status_code == 403
    assert desk.machine("studies:read").get("/api/v1/quality").status_code == 200


def test_a_revoked_key_is_of_no_use_at_once(desk: Desk) -> None:
    root, machine = desk.person("root", "admin"), desk.machine()
    assert machine.get(ME).status_code == 200
    (number,) = [one["id"] for one in root.get(KEYS).json()]
    assert root.delete(f"{KEYS}/{number}").status_code == 204
    assert machine.get(ME).status_code == 401
    assert root.delete(f"{KEYS}/999").status_code == 404


def test_a_key_expires(ledger: Ledger) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    _, key = add_key(ledger.database, "m", ["studies:read"], by="t", expires_at=soon)
    assert find_key(ledger.database, key) is not None
    past = datetime.now(UTC) - timedelta(seconds=1)
    with ledger.database.engine.begin() as connection:
        connection.execute(update(api_keys).values(expires_at=past))
    assert find_key(ledger.database, key) is None


def test_the_use_of_a_key_is_noted(ledger: Ledger) -> None:
    made, key = add_key(ledger.database, "m", ["studies:read"], by="t")
    assert made.last_used_at is None
    find_key(ledger.database, key)
    assert list_keys(ledger.database)[0].last_used_at is not None
    assert revoke_key(ledger.database, 999) is None


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  ", "Basic ", "", "Bearer x"])
def test_what_is_no_key_is_refused_even_where_nobody_signs_in(open_door: Desk, scheme: str) -> None:
    _, key = add_key(open_door.ledger.database, "m", ["studies:read"], by="t")
    answer = open_door.client().get(ME, headers={"Authorization": f"{scheme}{key}"})
    assert answer.status_code == (200 if scheme.strip().lower() == "bearer" else 401)


def test_a_key_with_the_right_prefix_and_another_secret_is_refused(ledger: Ledger) -> None:
    _, key = add_key(ledger.database, "m", ["studies:read"], by="t")
    other = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert find_key(ledger.database, other) is None
    assert find_key(ledger.database, "lungflag_' OR 1=1 --_") is None


@pytest.mark.parametrize(("name", "scopes"), [("M", ["studies:read"]), ("m", []), ("m", ["root"])])
def test_a_key_is_made_with_known_scopes(ledger: Ledger, name: str, scopes: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        add_key(ledger.database, name, scopes, by="t")


def test_guessing_keys_is_slowed_down(desk: Desk) -> None:
    stranger = desk.client(headers={"Authorization": "Bearer lungflag_x_y"})
    seen = [stranger.get(ME).status_code for _ in range(130)]
    assert set(seen[:120]) == {401}
    assert seen[-1] == 429
