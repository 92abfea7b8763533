"""`lungflag node` as people start it: a process that listens, stops and comes back."""

from __future__ import annotations

import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest
from pydicom import dcmread, uid

from lungflag.errors import ConfigurationError, LungflagError
from lungflag.service.front import Front
from lungflag.service.ledger import Ledger
from tests.radiograph.objects import content, dx
from tests.service.certificates import make_certificates
from tests.service.dcmtk import call
from tests.service.films import phantom_pixels, write_film
from tests.service.orthanc import free_port
from tests.service.programs import Program, running
from tests.service.test_dicomweb import body
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.settings import Settings

RELATED = {"content-type": 'multipart/related; type="application/dicom"; boundary=BOUNDARY'}


@contextmanager
def node(folder: Path, **settings: object) -> Iterator[Program]:
    common = {"folder": folder, "model": "phantom", "keep_free_mib": 0, "port": 0, "http_port": 0}
    with running("node", **{**common, **settings}) as program:
        yield program


def ports(program: Program) -> tuple[int, int]:
    dicom = program.port(r"C-STORE on LUNGFLAG@127\.0\.0\.1:(\d+)")
    return dicom, program.port(r"STOW-RS on https?://127\.0\.0\.1:(\d+)/studies")


def received(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "ledger.db") as ledger:
        return {row[0] for row in ledger.execute("SELECT sop_instance_uid FROM jobs")}


@pytest.mark.slow
def test_it_listens_on_every_door_and_stops_in_good_order(tmp_path: Path) -> None:
    folder, inbox = tmp_path / "data", tmp_path / "inbox"
    by_dimse = write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels(size=64))
    by_stow = dx(phantom_pixels(size=64), 12)
    by_folder = dx(phantom_pixels(size=64), 12)
    with node(folder, watch=inbox) as program:
        dicom, web = ports(program)
        assert f"watching {inbox}\n" in program.lines
        assert call("echoscu", dicom) == ""
        assert call("storescu", dicom, by_dimse) == ""
        root = f"http://127.0.0.1:{web}"
        response = httpx2.post(
            f"{root}/studies", content=body(content(by_stow)), headers=RELATED, trust_env=False
        )
        assert response.status_code == 200
        assert httpx2.get(f"{root}/ready", trust_env=False).json()["ready"] is True
        assert "lungflag" in httpx2.get(f"{root}/metrics", trust_env=False).text
        (inbox / "film.dcm").write_bytes(content(by_folder))
        until((inbox / "done" / "film.dcm").exists)
        assert program.stop() == 0
    assert received(folder) == {
        dcmread(by_dimse).SOPInstanceUID,
        by_stow.SOPInstanceUID,
        by_folder.SOPInstanceUID,
    }


@pytest.mark.slow
def test_a_c_store_that_runs_is_finished_when_it_is_told_to_stop(tmp_path: Path) -> None:
    film = write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels(size=64))
    folder = tmp_path / "data"
    with node(folder) as program, ThreadPoolExecutor() as pool:
        dicom, _ = ports(program)
        with sqlite3.connect(folder / "ledger.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            sent = pool.submit(call, "storescu", dicom, film)
            until(lambda: list(folder.glob("objects/**/*.dcm")))
            program.process.send_signal(signal.SIGTERM)
            until(lambda: call("echoscu", dicom) != "", what="it listens no more")
            other.execute("COMMIT")
        assert sent.result(timeout=60) == ""
        assert program.process.wait(60) == 0
    assert received(folder) == {dcmread(film).SOPInstanceUID}


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    acknowledged = set()
    for _ in range(3):
        with node(folder) as program:
            dicom, _ = ports(program)
            film = write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels(size=64))
            assert call("storescu", dicom, film) == ""
            acknowledged.add(str(dcmread(film).SOPInstanceUID))
            assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert received(folder) == acknowledged


@pytest.mark.slow
def test_over_tls(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    ours, peer = certificates.service, certificates.peer
    tls = {"tls_certificate": ours.certificate, "tls_key": ours.key, "tls_ca": certificates.ca}
    with node(tmp_path / "data", **tls) as program:
        dicom, _ = ports(program)
        assert "(mutual TLS)" in program.lines[0]
        shown = ["+tls", peer.key, peer.certificate, "+cf", certificates.ca]
        assert call("echoscu", dicom, options=shown) == ""
        assert call("echoscu", dicom, options=["-ta", "5"]) != ""


@pytest.mark.slow
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    taken = free_port()
    with node(tmp_path / "one", port=taken) as first:
        ports(first)
        with node(tmp_path / "two", port=taken) as second:
            assert second.process.wait(60) == 2
        assert "".join(second.errors).splitlines()[-1] == (
            f"error: the node cannot listen on 127.0.0.1:{taken} (Address already in use)"
        )
        assert first.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("http_host", "0.0.0.0", "without TLS patient data"),
        ("allow", ("XRAY1@xray1.hospital.example",), "no address or network"),
    ],
)
def test_settings_that_are_not_safe_are_refused(
    settings: Settings, setting: str, value: object, reason: str
) -> None:
    with (
        Ledger.open(settings.database_url, create=True) as ledger,
        pytest.raises(ConfigurationError, match=reason),
    ):
        Front(replace(settings, **{setting: value}), ledger)  # type: ignore[arg-type]


def test_a_listener_that_cannot_start_leaves_none_behind(settings: Settings) -> None:
    taken = free_port()
    first = replace(settings, port=0, http_port=taken)
    with Ledger.open(settings.database_url, create=True) as ledger:
        holder = Front(first, ledger)
        holder.start()
        second = Front(first, ledger)
        with pytest.raises(LungflagError, match="cannot be served"):
            second.start()
        second.stop()
        assert call("echoscu", second.port) != ""
        holder.check()
        holder.stop()
        with pytest.raises(LungflagError, match="has died"):
            holder.check()


def test_readiness_names_what_is_missing(settings: Settings) -> None:
    with Ledger.open(settings.database_url, create=True) as ledger:
        front = Front(replace(settings, port=0, http_port=0, keep_free_mib=2**30), ledger)
        front.start()
        try:
            url = f"http://127.0.0.1:{front.http_port}/ready"
            assert httpx2.get(url, trust_env=False).json()["reasons"] == [
                f"less than {2**30} MiB are free on the disk"
            ]
            with sqlite3.connect(settings.folder / "ledger.db") as other:
                other.execute("DROP TABLE jobs")
            response = httpx2.get(url, trust_env=False)
            assert response.status_code == 503
            assert response.json()["reasons"][0] == "the ledger is away"
        finally:
            front.stop()
