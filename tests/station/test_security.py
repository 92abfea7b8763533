"""The guard and the shield: other sites, rebinding, sizes, headers, rates, exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lungflag.errors import ConfigurationError
from lungflag.station.accounts.passwords import Passwords
from lungflag.station.accounts.people import add_user
from lungflag.station.security.exposure import by_https, check_exposure, sign_in_needed
from lungflag.station.security.limits import Limit, SignInLimit
from tests.station.desk import PASSWORD, desk_settings, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.station.desk import Desk

ME, SESSION, USERS = "/api/v1/me", "/api/v1/session", "/api/v1/users"
NEW = {"name": "bob", "password": PASSWORD}


def test_on_loopback_nobody_signs_in(open_door: Desk) -> None:
    me = open_door.client().get(ME).json()
    assert (me["name"], me["role"], me["sign_in"]) == ("local", "admin", False)
    assert open_door.client().get(USERS).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:8081", "127.9.9.9"])
def test_loopback_names_are_answered(open_door: Desk, host: str) -> None:
    assert open_door.client().get(ME, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "", "192.0.2.7", "127.0.0.1.evil.example", "a@b"]
)
@pytest.mark.parametrize("path", [ME, "/", "/api/v1/openapi.json"])
def test_names_that_some_site_lets_point_here_are_not(
    open_door: Desk, host: str, path: str
) -> None:
    answer = open_door.client().get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_cannot_have_the_local_browser_change_anything(
    open_door: Desk, headers: dict[str, str]
) -> None:
    assert open_door.client().post(USERS, json=NEW, headers=headers).status_code == 403
    assert open_door.client().get(USERS).json() == []


def test_its_own_pages_can(open_door: Desk) -> None:
    headers = {"Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "same-origin"}
    assert open_door.client().post(USERS, json=NEW, headers=headers).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_of_another_site_is_no_json(open_door: Desk, content_type: str) -> None:
    client = open_door.client()
    body = b'{"name": "bob", "password": "a good long password 7"}'
    answer = client.post(USERS, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 422


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_session_alone_changes_nothing(desk: Desk, token: str) -> None:
    root = desk.person("root", "admin")
    answer = root.post(USERS, json=NEW, headers={"X-CSRF-Token": token})
    assert answer.status_code == 403
    assert root.delete(SESSION, headers={"X-CSRF-Token": token}).status_code == 403
    assert root.get(ME).status_code == 200


def test_another_site_cannot_sign_a_browser_in(desk: Desk) -> None:
    desk.person("ann")
    answer = desk.client().post(
        SESSION,
        json={"name": "ann", "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403


def test_a_planted_session_is_not_taken_over(desk: Desk) -> None:
    """Session fixation: the token after the sign-in is new, and the one before it is dead."""
    attacker = desk.person("mallory")
    planted = attacker.cookies["lungflag"]
    desk.person("ann")
    victim = desk.client()
    victim.cookies.set("lungflag", planted, domain="127.0.0.1")
    answer = victim.post(SESSION, json={"name": "ann", "password": PASSWORD})
    assert answer.cookies["lungflag"] != planted
    assert attacker.get(ME).status_code == 401
    chosen = desk.client(headers={"Cookie": "lungflag=chosen-by-somebody-else"})
    assert chosen.get(ME).status_code == 401


def test_every_answer_has_the_headers(desk: Desk) -> None:
    client = desk.client()
    for path in ("/", "/assets/nothing.js", ME, "/api/v1/openapi.json", "/%ff"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
    assert client.get(ME).headers["cache-control"] == "no-store"


def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    client = desk.client()
    assert client.post(SESSION, content=b"x" * 70_000).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    assert client.post(SESSION, content=endless(), headers=headers).status_code == 413
    assert client.post(SESSION, headers={"Content-Length": "-1"}).status_code == 413


def test_deep_json_is_a_problem_and_no_crash(desk: Desk) -> None:
    headers = {"Content-Type": "application/json"}
    answer = desk.client().post(SESSION, content=b"[" * 60_000, headers=headers)
    assert answer.status_code in (400, 422)


def test_asking_too_often(tmp_path: Path) -> None:
    with open_desk(desk_settings(tmp_path, requests_a_minute=3)) as desk:
        ann = desk.person()  # which asks once
        assert [ann.get(ME).status_code for _ in range(3)] == [200, 200, 429]
        answer = ann.get(ME)
        assert int(answer.headers["retry-after"]) >= 1
        assert desk.machine("studies:read").get(ME).status_code == 200  # others are not in the way


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    limit = Limit(2, 60.0, lambda: now[0])
    assert [limit.take("a") > 0 for _ in range(3)] == [False, False, True]
    assert limit.wait("a") == pytest.approx(30.0)
    now[0] = 31.0
    assert limit.take("a") == 0
    assert limit.take("b") == 0


def test_guesses_from_many_addresses_are_slowed_down_too() -> None:
    limit = SignInLimit(lambda: 0.0)
    assert all(limit.take("ann", f"198.51.100.{n}") == 0 for n in range(100))
    assert limit.take("ann", "203.0.113.1") > 0
    assert limit.take("bob", "203.0.113.1") == 0


_TLS = {"tls_certificate": "/x.pem", "tls_key": "/x.key", "tls_ca": "/ca.pem"}


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"station_host": "0.0.0.0"}, "without TLS passwords and patient data would cross"),
        ({"station_host": "192.0.2.7"}, "can be reached from other machines"),
        ({"station_host": "::"}, "station_proxy where a proxy in front ends TLS"),
        ({"station_host": "0.0.0.0", "station_sign_in": "never", **_TLS}, "sign_in is never"),
        ({"station_proxy": True, "station_sign_in": "never"}, "anybody could read patient data"),
    ],
)
def test_what_would_be_open_to_others_does_not_start(
    tmp_path: Path, flags: dict[str, Any], reason: str
) -> None:
    settings = desk_settings(tmp_path, **({"station_sign_in": "auto"} | flags))
    with pytest.raises(ConfigurationError, match=reason):
        check_exposure(settings)


@pytest.mark.parametrize(
    ("flags", "needed", "https"),
    [
        ({}, False, False),
        ({"station_sign_in": "always"}, True, False),
        ({"station_sign_in": "never"}, False, False),
        ({"station_host": "0.0.0.0", **_TLS}, True, True),
        ({"station_proxy": True}, True, True),
        ({"station_proxy": True, "station_host": "0.0.0.0"}, True, True),
    ],
)
def test_who_has_to_sign_in(
    tmp_path: Path, flags: dict[str, Any], needed: bool, https: bool
) -> None:
    settings = desk_settings(tmp_path, **({"station_sign_in": "auto"} | flags))
    check_exposure(settings)
    assert (sign_in_needed(settings), by_https(settings)) == (needed, https)


def test_behind_a_proxy_cookies_need_https_and_the_last_address_counts(tmp_path: Path) -> None:
    with open_desk(desk_settings(tmp_path, station_proxy=True)) as desk:
        home = "https://station.example"
        add_user(desk.ledger.database, "ann", Passwords().make(PASSWORD), "reader")
        given = {"name": "ann", "password": PASSWORD}
        headers = {"X-Forwarded-For": "6.6.6.6, 192.0.2.44"}
        answer = desk.client(base_url=home).post(SESSION, json=given, headers=headers)
        facts = answer.headers["set-cookie"].lower()
        assert facts.startswith("__host-lungflag=")
        assert "secure" in facts
        assert "strict-transport-security" in answer.headers
        with desk.ledger.database.engine.connect() as connection:
            messages = str([*connection.exec_driver_sql("SELECT message FROM audit").scalars()])
        assert "192.0.2.44" in messages
        assert "6.6.6.6" not in messages
