"""STOW-RS, asked by Orthanc and by a plain client that keeps to the rules, or does not."""

from __future__ import annotations

import sqlite3
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx2
import pytest
from pydicom import Dataset, dcmread, uid

from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from lungflag.service import dicomweb
from tests.radiograph.objects import content, dx
from tests.service.doors import ROOM, Door, open_door, running_web
from tests.service.films import phantom_pixels, write_film
from tests.service.orthanc import running_orthanc
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset

    from lungflag.service.settings import Settings

DX = uid.DigitalXRayImageStorageForPresentation
RELATED = 'multipart/related; type="application/dicom"; boundary=BOUNDARY'


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened
        assert opened.room.free == ROOM, "a request still holds room"


@pytest.fixture
def web(door: Door) -> Iterator[httpx2.Client]:
    with running_web(door) as server, client(server.port) as opened:
        yield opened


def client(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)


def body(*objects: bytes, kind: str = "application/dicom") -> bytes:
    parts = [f"--BOUNDARY\r\nContent-Type: {kind}\r\n\r\n".encode() + one for one in objects]
    return b"\r\n".join([*parts, b"--BOUNDARY--\r\n"])


def store(web: httpx2.Client, *objects: bytes, study: str = "", **headers: str) -> httpx2.Response:
    path = f"/studies/{study}" if study else "/studies"
    given = {"content-type": RELATED} | {k.replace("_", "-"): v for k, v in headers.items()}
    return web.post(path, content=body(*objects), headers=given)


def film(**attributes: Any) -> FileDataset:
    return dx(phantom_pixels(size=64), 12, **attributes)


def reasons(response: httpx2.Response, keyword: str = "FailedSOPSequence") -> list[int]:
    items = Dataset.from_json(response.json()).get(keyword) or []
    return [item.FailureReason for item in items]


def test_objects_are_taken_in_and_named(door: Door, web: httpx2.Client) -> None:
    first, second = film(), film()
    response = store(web, content(first), content(second))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    said = Dataset.from_json(response.json())
    assert [
        (one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for one in said.ReferencedSOPSequence
    ] == [(DX, first.SOPInstanceUID), (DX, second.SOPInstanceUID)]
    assert "FailedSOPSequence" not in said
    for one in (first, second):
        assert door.knows(one.SOPInstanceUID)
        assert door.stored(one.SOPInstanceUID).read_bytes() == content(one)
    row = door.instance(first.SOPInstanceUID)
    assert (row.via, row.peer) == ("stow", "127.0.0.1")


def test_every_syntax_of_the_reader(door: Door, web: httpx2.Client, tmp_path: Path) -> None:
    films = [write_film(tmp_path, one, phantom_pixels(size=64)) for one in TRANSFER_SYNTAXES]
    assert store(web, *(one.read_bytes() for one in films)).status_code == 200
    for path, syntax in zip(films, TRANSFER_SYNTAXES, strict=True):
        assert door.instance(dcmread(path).SOPInstanceUID).transfer_syntax_uid == syntax


def test_the_same_again_is_a_success(door: Door, web: httpx2.Client) -> None:
    one = content(film())
    assert [store(web, one).status_code for _ in range(3)] == [200, 200, 200]
    assert door.jobs() == 1


def test_a_study_may_be_named(door: Door, web: httpx2.Client) -> None:
    mine, other = film(), film()
    response = store(web, content(mine), content(other), study=mine.StudyInstanceUID)
    assert response.status_code == 202
    assert reasons(response) == [0xA900]
    assert door.knows(mine.SOPInstanceUID)
    assert door.jobs() == 1
    assert store(web, content(mine), study="no-uid").status_code == 400


def test_some_may_fail(door: Door, web: httpx2.Client) -> None:
    good, ct = film(), film(SOPClassUID=uid.CTImageStorage)
    response = store(web, b"no DICOM", content(good), content(ct))
    assert response.status_code == 202
    said = Dataset.from_json(response.json())
    assert said.FailedSOPSequence[0].ReferencedSOPInstanceUID == ct.SOPInstanceUID
    assert reasons(response) == [0x0122]
    assert reasons(response, "OtherFailuresSequence") == [0xC000]
    assert door.knows(good.SOPInstanceUID)


@pytest.mark.parametrize("name", [".1", "1.", "1..2", "9" * 65, "1.2.x"])
def test_what_is_no_identifier_is_not_repeated(web: httpx2.Client, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of the value
        sent = content(film(SOPInstanceUID=name))
    response = store(web, sent)
    assert response.status_code == 409
    assert reasons(response, "OtherFailuresSequence") == [0xA900]
    assert store(web, sent, study=name).status_code == 400


def test_all_may_fail(door: Door, web: httpx2.Client) -> None:
    assert store(web, content(film(SOPClassUID=uid.CTImageStorage))).status_code == 409
    assert door.jobs() == 0
    assert door.counted("lungflag_refused_total", via="stow", code="sop-class") == 1


class TestFailures:
    """Whatever is not safe is not acknowledged."""

    def test_a_full_disk(self, settings: Settings) -> None:
        with (
            open_door(replace(settings, keep_free_mib=2**30)) as door,
            running_web(door) as server,
            client(server.port) as web,
        ):
            response = store(web, content(film()))
            assert response.status_code == 507
            assert reasons(response) == [0xA700]
            assert response.headers["retry-after"] == "60"

    def test_a_ledger_that_is_away(self, door: Door, web: httpx2.Client) -> None:
        with sqlite3.connect(door.settings.folder / "ledger.db") as other:
            other.execute("DROP TABLE jobs")
        response = store(web, content(film()))
        assert response.status_code == 503
        assert reasons(response) == [0xA701]

    def test_no_room_for_what_comes_in(self, settings: Settings) -> None:
        one = content(film())
        with (
            open_door(settings, room=len(one) // 2) as door,
            running_web(door) as server,
            client(server.port) as web,
        ):
            assert store(web, one).status_code == 503
            until(lambda: door.room.free == len(one) // 2)
            assert door.jobs() == 0


class TestRequests:
    """What is wrong with a request is said in its status."""

    @pytest.mark.parametrize(
        "kind",
        [
            "application/dicom",
            "multipart/form-data; boundary=BOUNDARY",
            'multipart/related; type="application/dicom+json"; boundary=BOUNDARY',
            "",
        ],
    )
    def test_another_media_type(self, web: httpx2.Client, kind: str) -> None:
        assert store(web, content(film()), content_type=kind).status_code == 415

    def test_an_encoding(self, web: httpx2.Client) -> None:
        assert store(web, content(film()), content_encoding="gzip").status_code == 415

    def test_parts_of_another_media_type(self, web: httpx2.Client) -> None:
        sent = body(b"{}", kind="application/dicom+json")
        response = web.post("/studies", content=sent, headers={"content-type": RELATED})
        assert response.status_code == 409
        assert reasons(response, "OtherFailuresSequence") == [0xC000]

    @pytest.mark.parametrize(
        "sent", [b"", b"--BOUNDARY", b"nothing", b"--BOUNDARY\r\nno header\r\n\r\n"]
    )
    def test_a_malformed_body(self, door: Door, web: httpx2.Client, sent: bytes) -> None:
        response = web.post("/studies", content=sent, headers={"content-type": RELATED})
        assert response.status_code == 400
        assert door.counted("lungflag_refused_total", via="stow", code="malformed") == 1

    def test_no_objects_at_all(self, web: httpx2.Client) -> None:
        assert store(web).status_code == 400

    def test_a_body_that_breaks_off_after_an_object(self, door: Door, web: httpx2.Client) -> None:
        good = film()
        sent = body(content(good), b"x" * 1000)[:-500]
        response = web.post("/studies", content=sent, headers={"content-type": RELATED})
        assert response.status_code == 202
        assert reasons(response, "OtherFailuresSequence") == [0xC000]
        assert door.knows(good.SOPInstanceUID)

    def test_a_part_that_is_too_large(
        self, door: Door, web: httpx2.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dicomweb, "LARGEST_OBJECT", 10_000)
        assert store(web, bytes(10_001)).status_code == 413
        assert door.counted("lungflag_refused_total", via="stow", code="too-large") == 1

    def test_a_request_that_is_too_large(
        self, door: Door, web: httpx2.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dicomweb, "LARGEST_REQUEST", 100_000)
        one = content(film())
        assert store(web, *[one] * 20).status_code == 413

        def stream() -> Iterator[bytes]:
            whole = body(*[one] * 20)
            yield whole[:50_000]
            until(lambda: door.jobs() == 1)
            yield whole[50_000:]

        headers = {"content-type": RELATED}
        response = web.post("/studies", content=stream(), headers=headers)  # without a length
        assert response.status_code == 202
        assert door.jobs() == 1

    def test_a_client_that_falls_silent(
        self, door: Door, web: httpx2.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dicomweb, "SILENT_SECONDS", 0.2)

        def stream() -> Iterator[bytes]:
            yield body(content(film()))[:-100]
            until(lambda: door.counted("lungflag_refused_total", via="stow", code="malformed"))

        response = web.post("/studies", content=stream(), headers={"content-type": RELATED})
        assert response.status_code == 400


class TestAccept:
    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("*/*", "application/dicom+json"),
            ("application/json", "application/dicom+json"),
            ("application/dicom+xml", "application/dicom+xml"),
            ("application/dicom+json;q=0.5, application/dicom+xml", "application/dicom+xml"),
            ("application/dicom+xml;q=0, */*", "application/dicom+json"),
            ("text/html, application/dicom+json", "application/dicom+json"),
        ],
    )
    def test_the_response_is_as_asked_for(self, web: httpx2.Client, accept: str, kind: str) -> None:
        response = store(web, content(film()), accept=accept)
        assert response.status_code == 200
        assert response.headers["content-type"] == kind

    def test_nothing_that_there_is(self, web: httpx2.Client) -> None:
        assert store(web, content(film()), accept="text/html").status_code == 406

    def test_xml_says_the_same(self, web: httpx2.Client) -> None:
        good, ct = film(), film(SOPClassUID=uid.CTImageStorage)
        response = store(web, content(good), content(ct), accept="application/dicom+xml")
        space = {"": "http://dicom.nema.org/PS3.19/models/NativeDICOM"}
        root = ElementTree.fromstring(response.content)

        def value(sequence: str, keyword: str) -> str | None:
            outer, inner = (f"DicomAttribute[@keyword='{one}']" for one in (sequence, keyword))
            return root.findtext(f"{outer}/Item/{inner}/Value", namespaces=space)

        assert value("ReferencedSOPSequence", "ReferencedSOPInstanceUID") == good.SOPInstanceUID
        assert value("FailedSOPSequence", "ReferencedSOPInstanceUID") == ct.SOPInstanceUID
        assert value("FailedSOPSequence", "FailureReason") == str(0x0122)


@pytest.mark.slow
def test_orthanc_stores(door: Door, tmp_path: Path) -> None:
    with running_web(door) as server:
        servers = {"lungflag": [f"http://127.0.0.1:{server.port}/"]}
        options = {"Enable": True, "Root": "/dicom-web/", "Servers": servers}
        with (
            running_orthanc(tmp_path / "orthanc", DicomWeb=options) as orthanc,
            httpx2.Client(base_url=orthanc.url, trust_env=False, timeout=60) as archive,
        ):
            films = [film() for _ in range(3)]
            made = [archive.post("/instances", content=content(one)).json() for one in films]
            order = {"Resources": [one["ID"] for one in made], "Synchronous": True}
            response = archive.post("/dicom-web/servers/lungflag/stow", json=order)
            assert response.status_code == 200, response.text
    assert all(door.knows(one.SOPInstanceUID) for one in films)
