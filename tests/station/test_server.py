"""The station as a process of the service: its address, its first admin, TLS, refusals."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.service.certificates import make_certificates
from tests.service.service import PROGRAM, serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_serve_has_the_station_and_makes_an_admin(tmp_path: Path) -> None:
    with serving(tmp_path, station_sign_in="always") as service:
        file = service.folder / "admin-password"
        password = file.read_text().strip()
        said = service.said.read_text()
        assert str(file) in said
        with httpx2.Client(base_url=service.station, trust_env=False) as client:
            assert client.get("/api/v1/me").status_code == 401
            given = {"name": "admin", "password": password}
            assert client.post("/api/v1/session", json=given).status_code == 204
            assert client.get("/api/v1/me").json()["role"] == "admin"
            assert "<div id=" in client.get("/studies/1.2.3").text
        assert password not in said + service.log.read_text()


@pytest.mark.slow
def test_the_station_ends_tls_itself(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    tls: dict[str, Any] = {
        "tls_certificate": files.service.certificate,
        "tls_key": files.service.key,
        "tls_ca": files.ca,
    }
    with serving(tmp_path / "s", station_sign_in="always", **tls) as service:
        assert service.station.startswith("https://")
        context = ssl.create_default_context(cafile=files.ca)
        context.check_hostname = False
        with httpx2.Client(base_url=service.station, verify=context, trust_env=False) as client:
            answer = client.get("/api/v1/me")
            assert answer.status_code == 401
            assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "station"])
def test_what_is_open_to_others_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    options = ["--folder", str(tmp_path / "data"), "--model", "phantom"]
    ran = subprocess.run(
        [str(PROGRAM), command, *options, "--station-host", "0.0.0.0"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 2
    assert "can be reached from other machines" in ran.stderr
    assert "station_proxy" in ran.stderr
