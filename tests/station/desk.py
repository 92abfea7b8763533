"""The station over HTTP without a socket, and people and machines who use it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from lungflag.service.ledger import Ledger
from lungflag.service.settings import Settings, load_settings
from lungflag.station.accounts.keys import add_key
from lungflag.station.accounts.passwords import Passwords
from lungflag.station.accounts.people import add_user
from lungflag.station.app import build_app, make_context
from lungflag.station.security.principal import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from lungflag.station.context import Context

PASSWORD = "a good long password 7"
HOME = "http://127.0.0.1:8081"


@dataclass(frozen=True)
class Desk:
    """A station, and ways to come to it."""

    app: FastAPI
    context: Context
    ledger: Ledger

    def client(self, **options: Any) -> TestClient:
        """Return a browser or machine that has not been here."""
        given = {"base_url": HOME, "raise_server_exceptions": False, **options}
        return TestClient(self.app, **given)

    def person(self, name: str = "ann", role: str = "reader") -> TestClient:
        """Return the browser of a person who signed in, which sends the CSRF token."""
        add_user(self.ledger.database, name, Passwords().make(PASSWORD), role)
        client = self.client()
        answer = client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 204, answer.text
        client.headers["X-CSRF-Token"] = client.get("/api/v1/me").json()["csrf"]
        return client

    def machine(self, *scopes: str) -> TestClient:
        """Return a client with a key; for all scopes where none is named."""
        _, text = add_key(self.ledger.database, "machine", scopes or tuple(SCOPES), by="tests")
        return self.client(headers={"Authorization": f"Bearer {text}"})


def desk_settings(folder: Path, **flags: Any) -> Settings:
    """Return the settings of a station in a folder; sign-in is needed unless they say otherwise."""
    usual = {
        "folder": folder,
        "model": "phantom",
        "keep_free_mib": 0,
        "station_sign_in": "always",
        "requests_a_minute": 100_000,
    }
    return load_settings(None, {}, usual | flags)


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """Give a station with these settings."""
    with Ledger.open(settings.database_url, create=True) as ledger:
        context = make_context(settings, ledger)
        app = build_app(context)
        try:
            yield Desk(app, context, ledger)
        finally:
            app.state.content.stop()
