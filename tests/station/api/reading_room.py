"""A station on a free port of this machine, with a worker beside it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
from PIL import Image

from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.http import WebServer
from lungflag.service.process import Stop
from lungflag.service.worker import Worker
from lungflag.station.accounts.keys import add_key
from lungflag.station.security.principal import SCOPES
from tests.radiograph.objects import content
from tests.service.waiting import until
from tests.station.desk import open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.settings import Settings
    from tests.station.desk import Desk

DICOM = {"Content-Type": "application/dicom"}
NOW = {**DICOM, "Prefer": "wait=30"}


@dataclass(frozen=True)
class Room:
    """A running station."""

    desk: Desk
    port: int

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    def machine(self, *scopes: str, name: str = "machine") -> httpx2.Client:
        """Return a client with a key; for all scopes where none is named."""
        database = self.desk.ledger.database
        _, text = add_key(database, name, scopes or tuple(SCOPES), by="tests")
        headers = {"Authorization": f"Bearer {text}"}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)

    def person(self, name: str, role: str = "reader") -> httpx2.Client:
        """Return the client of a person who signed in."""
        cookies = self.desk.person(name, role)
        headers = {
            "Cookie": "; ".join(f"{one.name}={one.value}" for one in cookies.cookies.jar),
            "X-CSRF-Token": cookies.headers["X-CSRF-Token"],
        }
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)


@contextmanager
def serving(settings: Settings) -> Iterator[Room]:
    """Serve a station without a worker."""
    with open_desk(settings) as desk:
        server = WebServer(desk.app, host="127.0.0.1", port=0, connections=300)
        desk.app.state.content.start()
        server.start()
        try:
            yield Room(desk, server.port)
        finally:
            desk.app.state.content.stop()
            server.stop(5)


@contextmanager
def judging(room: Room) -> Iterator[None]:
    """Run a worker."""
    stop, ready = Stop(), Event()
    worker = Worker(room.desk.context.settings, room.desk.ledger)
    thread = Thread(target=worker.run, args=(stop, ready.set), name="worker")
    thread.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def phantom(seed: int = 1, **attributes: Any) -> bytes:
    """Return a phantom as a DICOM file; odd ones have pneumonia."""
    ds = to_dicom(make_phantom(seed, pneumonia=bool(seed % 2), size=192))
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return content(ds)  # type: ignore[arg-type]


def picture(seed: int = 1, kind: str = "PNG") -> bytes:
    """Return a phantom as an image file."""
    pixels = make_phantom(seed, pneumonia=bool(seed % 2), size=192).pixels
    file = BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(file, kind)
    return file.getvalue()


def judged(client: httpx2.Client, data: bytes) -> dict[str, Any]:
    """Send an image, and return it with its outcome."""
    answer = client.post("/images", content=data, headers=NOW)
    assert answer.status_code == 201, answer.text
    detail: dict[str, Any] = answer.json()
    return detail


def listed(client: httpx2.Client, n: int) -> dict[str, Any]:
    """Return the worklist once it has `n` studies with outcomes."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(client.get("/studies").json())
        return len([row for row in found["items"] if row["status"] != "waiting"]) == n

    until(there, what=f"{n} judged studies")
    return found
