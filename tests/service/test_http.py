"""Health, readiness and metrics, and who is let in."""

from __future__ import annotations

import socket
import sqlite3
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import httpx2
import pytest
from fastapi import FastAPI

from lungflag.errors import ConfigurationError, ServiceError
from lungflag.service import http
from lungflag.service.http import WebServer
from lungflag.service.tls import client_context, server_context
from tests.radiograph.objects import content, dx
from tests.service.certificates import Certificates, make_certificates
from tests.service.doors import Door, open_door, running_web
from tests.service.films import phantom_pixels
from tests.service.test_dicomweb import body
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.settings import Settings

RELATED = {"content-type": 'multipart/related; type="application/dicom"; boundary=BOUNDARY'}


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def get(server: WebServer, path: str, **headers: str) -> httpx2.Response:
    url = f"http://127.0.0.1:{server.port}{path}"
    return httpx2.get(url, headers=headers, trust_env=False, timeout=30)


def test_alive_and_ready(door: Door) -> None:
    reasons: list[str] = []
    with running_web(door, unready=lambda: reasons) as server:
        assert get(server, "/health").json() == {"alive": True}
        assert get(server, "/ready").json() == {"ready": True, "reasons": []}
        reasons.append("the ledger is away")
        response = get(server, "/ready")
        assert response.status_code == 503
        assert response.json() == {"ready": False, "reasons": ["the ledger is away"]}
        assert get(server, "/health").status_code == 200
        assert get(server, "/docs").status_code == 404


def test_metrics(door: Door) -> None:
    door.metrics.refused("stow", "uid")
    with running_web(door) as server:
        response = get(server, "/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'lungflag_refused_total{code="uid",via="stow"} 1.0' in response.text


def test_a_token_is_asked_for_but_not_by_probes(door: Door) -> None:
    with running_web(door, token="secret") as server:
        assert get(server, "/health").status_code == 200
        assert get(server, "/ready").status_code == 200
        sent = body(content(dx(phantom_pixels(size=64), 12)))
        url = f"http://127.0.0.1:{server.port}/studies"
        for given in ({}, {"authorization": "Bearer other"}, {"authorization": "secret"}):
            refused = httpx2.post(url, content=sent, headers=RELATED | given, trust_env=False)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert get(server, "/metrics", **given).status_code == 401
        assert door.jobs() == 0
        given = {"authorization": "Bearer secret"}
        assert get(server, "/metrics", **given).status_code == 200
        taken = httpx2.post(url, content=sent, headers=RELATED | given, trust_env=False)
        assert taken.status_code == 200


class TestTls:
    def test_a_known_client(self, door: Door, certificates: Certificates) -> None:
        ours, peer = certificates.service, certificates.peer
        context = server_context(ours.certificate, ours.key, certificates.ca)
        shown = client_context(peer.certificate, peer.key, certificates.ca)
        with running_web(door, tls=context) as server:
            url = f"https://127.0.0.1:{server.port}/health"
            assert httpx2.get(url, verify=shown, trust_env=False).status_code == 200

    @pytest.mark.parametrize("who", ["expired", "foreign", "nobody"])
    def test_anybody_else(self, door: Door, certificates: Certificates, who: str) -> None:
        ours = certificates.service
        context = server_context(ours.certificate, ours.key, certificates.ca)
        if who == "nobody":
            shown = ssl.create_default_context(cafile=certificates.ca)
        else:
            identity = getattr(certificates, who)
            shown = client_context(identity.certificate, identity.key, certificates.ca)
        with (
            running_web(door, tls=context) as server,
            pytest.raises(httpx2.TransportError),
        ):
            httpx2.get(f"https://127.0.0.1:{server.port}/health", verify=shown, trust_env=False)

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "hospital.example"])
    def test_other_machines_need_it(self, host: str) -> None:
        with pytest.raises(ConfigurationError, match="set tls_certificate, tls_key and tls_ca"):
            WebServer(FastAPI(), host=host, port=0)


def test_a_port_that_is_taken_is_named(door: Door) -> None:
    with running_web(door) as server, pytest.raises(ServiceError, match="already in use"):
        WebServer(FastAPI(), host="127.0.0.1", port=server.port).start()


def test_a_request_that_runs_is_finished_before_the_server_stops(door: Door) -> None:
    with (
        ThreadPoolExecutor() as pool,
        running_web(door) as server,
        sqlite3.connect(door.settings.folder / "ledger.db", isolation_level=None) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        sent = body(content(dx(phantom_pixels(size=64), 12)))
        url = f"http://127.0.0.1:{server.port}/studies"
        answer = pool.submit(httpx2.post, url, content=sent, headers=RELATED, timeout=30)
        until(lambda: list(door.settings.folder.glob("objects/**/*.dcm")))
        stopped = pool.submit(server.stop)
        until(lambda: not reachable(server.port))
        assert not answer.done()
        other.execute("COMMIT")
        assert answer.result(timeout=20).status_code == 200
        stopped.result(timeout=20)
        assert door.jobs() == 1


class TestHostile:
    def test_endless_headers_are_refused(self, door: Door) -> None:
        with running_web(door) as server, connect(server.port) as client:
            client.sendall(b"GET /health HTTP/1.1\r\n")
            with suppress(OSError):
                for _ in range(100):
                    client.sendall(b"X: " + b"x" * 1000 + b"\r\n")
            assert b" 400 " in hear(client)

    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"GET /heal",
            b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET",
            b"POST /studies HTTP/1.1\r\nHost: a\r\n",
        ],
    )
    def test_a_client_that_stalls_is_hung_up_on(
        self, door: Door, monkeypatch: pytest.MonkeyPatch, sent: bytes
    ) -> None:
        monkeypatch.setattr(http, "REQUEST_SECONDS", 0.3)
        with running_web(door) as server, connect(server.port) as client:
            client.sendall(sent)
            hear(client)

    def test_too_many_connections_are_told_so(self, door: Door) -> None:
        with running_web(door, connections=5) as server, ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(connect(server.port))
            until(lambda: get(server, "/health").status_code == 503)
            stack.close()
            until(lambda: get(server, "/health").status_code == 200)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 30)


def reachable(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


def hear(client: socket.socket) -> bytes:
    """Read until the server hangs up."""
    heard = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            heard += piece
    return heard
