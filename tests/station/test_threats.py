"""The defences of docs/threats.md, one after the other, against what would break them."""

from __future__ import annotations

import json
import logging
import re
import struct
import zlib
from csv import reader
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import generate_uid

from lungflag.phantom import make_phantom, to_dicom
from lungflag.service.logs import JsonLines
from tests.radiograph.objects import content
from tests.station.desk import PASSWORD, desk_settings, open_desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.station.desk import Desk

ROOT = Path(__file__).parents[2]
IMAGES, STUDIES = "/api/v1/images", "/api/v1/studies"
DICOM = {"Content-Type": "application/dicom"}
PNG = {"Content-Type": "image/png"}
MARKUP = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
OUTSIDE = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "1.2/../../x", "%2e%2e", "1.2%00.png"]


def _object(**attributes: str) -> bytes:
    """Return a DICOM file; UIDs of it are new ones where they are not given."""
    ds = to_dicom(make_phantom(1, pneumonia=True, size=96))
    new = {name: generate_uid() for name in ("SOPInstanceUID", "StudyInstanceUID")}
    for keyword, value in (new | attributes).items():
        setattr(ds, keyword, value)
    return content(ds)  # type: ignore[arg-type]


def _bomb(side: int) -> bytes:
    """Return a small PNG of `side` times `side` grey pixels, all of them white."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    squeezer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * side
    data = b"".join(squeezer.compress(row) for _ in range(side)) + squeezer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    ends = chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(ends)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


# Path traversal


@pytest.mark.parametrize("uid", OUTSIDE)
@pytest.mark.parametrize("part", ["", "/pixels", "/report", "/overlay", "/fhir", "/thumbnail"])
def test_no_identifier_in_an_address_leads_out(desk: Desk, uid: str, part: str) -> None:
    answer = desk.machine().get(f"{IMAGES}/{uid}{part}")
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID"])
@pytest.mark.parametrize("uid", ["../../../escaped", "1.2/../escaped", "/escaped"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_no_identifier_in_an_object_becomes_a_path(
    desk: Desk, tmp_path: Path, keyword: str, uid: str
) -> None:
    before = {path for path in _files(tmp_path) if "ledger" not in path.name}
    answer = desk.machine().post(IMAGES, content=_object(**{keyword: uid}), headers=DICOM)
    assert answer.status_code == 422
    after = {path for path in _files(tmp_path) if "ledger" not in path.name}
    assert after == before
    assert not list(tmp_path.rglob("*escaped*"))


def test_no_file_name_of_a_form_becomes_a_path(desk: Desk, tmp_path: Path) -> None:
    files = {"file": ("../../../escaped.dcm", _object(), "application/dicom")}
    assert desk.machine().post(IMAGES, files=files).status_code in (201, 202)
    assert not list(tmp_path.rglob("*escaped*"))
    assert not list(tmp_path.parent.glob("*escaped*"))


# Stored cross-site scripting


def test_markup_in_a_header_is_data_and_never_a_page(desk: Desk) -> None:
    said = {"PatientName": MARKUP, "PatientID": MARKUP[:60], "InstitutionName": MARKUP[:60]}
    machine = desk.machine()
    sent = machine.post(IMAGES, content=_object(**said), headers=DICOM)
    assert sent.status_code in (201, 202)
    detail = sent.json()
    assert "<script>" in detail["patient_name"]
    for path in (STUDIES, f"{STUDIES}/{detail['study']}", f"{IMAGES}/{detail['image']}"):
        answer = machine.get(path)
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert json.loads(answer.text)


def test_a_page_that_is_sent_as_an_image_is_not_taken(desk: Desk) -> None:
    machine = desk.machine()
    page = b"<html><script>alert(1)</script></html>"
    for kind in ("text/html", "image/svg+xml", "application/xhtml+xml"):
        assert machine.post(IMAGES, content=page, headers={"Content-Type": kind}).status_code == 415
    assert machine.post(IMAGES, content=page, headers=PNG).status_code == 422


def test_the_pages_write_text_and_never_markup() -> None:
    sources = [*(ROOT / "frontend" / "src").rglob("*.ts*")]
    assert sources
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\("
    for path in sources:
        text = path.read_text(encoding="utf-8")
        assert not re.search(markup, text), path
    index = (ROOT / "frontend" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script>|\sstyle=|\son\w+=|https?://", index)


# Formulas in tables


@pytest.mark.parametrize("site", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1"])
def test_no_cell_of_a_table_is_a_formula(desk: Desk, site: str) -> None:
    machine = desk.machine()
    machine.post(IMAGES, content=_object(InstitutionName=site), headers=DICOM)
    answer = machine.get("/api/v1/quality.csv")
    assert answer.status_code == 200
    for row in reader(StringIO(answer.text)):
        for cell in row:
            number = re.fullmatch(r"-?[0-9.]+(e[+-]?\d+)?", cell)
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert answer.headers["content-type"].startswith("text/csv")


# Bombs and floods


def test_a_bomb_is_not_unpacked_in_the_station(desk: Desk) -> None:
    """The door reads a header; pixels are unpacked by children with a limit of memory."""
    bomb = _bomb(12_000)
    assert len(bomb) < 2**20
    before = _forget_peak()
    answer = desk.machine().post(IMAGES, content=bomb, headers=PNG)
    assert answer.status_code in (202, 413, 422)
    assert _peak_mib() - before < 100  # unpacked, it has 137 MiB


def _forget_peak() -> int:
    """Count the peak from now on, since this process has run other tests; return where it is."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mib()


def _peak_mib() -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


def test_what_is_squeezed_on_its_way_is_not_taken(desk: Desk) -> None:
    headers = DICOM | {"Content-Encoding": "gzip"}
    answer = desk.machine().post(IMAGES, content=zlib.compress(b"0" * 2**20), headers=headers)
    assert answer.status_code == 415


def test_an_upload_ends_where_it_is_too_large(tmp_path: Path) -> None:
    with open_desk(desk_settings(tmp_path, upload_mib=1)) as desk:
        machine = desk.machine()
        taken = 0

        def flood() -> Iterator[bytes]:
            nonlocal taken
            for _ in range(64):
                taken += 2**20
                yield b"\0" * 2**20

        assert machine.post(IMAGES, content=flood(), headers=PNG).status_code == 413
        assert machine.post(IMAGES, content=b"\0" * 2**21, headers=PNG).status_code == 413
        files = {"file": ("x.png", b"\0" * (2**20 + 1), "image/png")}
        assert machine.post(IMAGES, files=files).status_code == 413
        assert machine.get(STUDIES).json()["items"] == []


# Secrets


def test_no_secret_stands_in_logs_audit_or_ledger(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with open_desk(desk_settings(tmp_path, audit_file=tmp_path / "audit.xml")) as desk:
        root = desk.person("root", "admin")
        key = root.post("/api/v1/keys", json={"name": "m", "scopes": ["studies:read"]}).json()[
            "key"
        ]
        machine = desk.client(headers={"Authorization": f"Bearer {key}"})
        machine.get(STUDIES)
        machine.get("/api/v1/users")  # refused
        machine.post(IMAGES, content=b"x", headers=PNG)  # refused
        desk.client().post("/api/v1/session", json={"name": "root", "password": f"{PASSWORD}!"})
        desk.client().post("/api/v1/session", json={"name": PASSWORD, "password": "root"})
        desk.client(headers={"Authorization": f"Bearer {key}x"}).get(STUDIES)
        desk.client().post("/api/v1/session", json={"name": [PASSWORD], "password": PASSWORD})
        secrets = [key, key.split("_", 2)[2], PASSWORD, root.cookies["lungflag"]]
        secrets.append(root.headers["X-CSRF-Token"])
    line = JsonLines()
    written = "\n".join(line.format(record) for record in caplog.records)
    for path in _files(tmp_path):
        written += path.read_bytes().decode("latin-1")
    for secret in secrets:
        assert secret not in written


def test_a_refusal_does_not_repeat_what_was_sent(desk: Desk) -> None:
    given = {"name": PASSWORD * 20, "password": PASSWORD, "extra": PASSWORD}
    answer = desk.client().post("/api/v1/session", json=given)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


# Who may see and change what


def test_nothing_is_answered_to_nobody(desk: Desk) -> None:
    """Every operation but the sign-in asks who is there."""
    stranger, document = desk.client(), desk.app.openapi()
    seen = 0
    for path, operations in document["paths"].items():
        for method in operations:
            if (method, path) == ("post", "/api/v1/session"):
                continue
            address = re.sub(r"\{(image|study)\}", "1.2.3", path)
            answer = stranger.request(method, re.sub(r"\{\w+\}", "1", address))
            assert answer.status_code == 401, (method, path)
            seen += 1
    assert seen > 20


def test_every_look_at_a_study_is_written_down(desk: Desk) -> None:
    ann = desk.person("ann", "operator")
    detail = ann.post(IMAGES, content=_object(PatientID="P7"), headers=DICOM).json()
    ann.get(f"{STUDIES}/{detail['study']}")
    ann.get(f"{STUDIES}?q=secret-name")
    with desk.ledger.database.engine.connect() as connection:
        messages = [*connection.exec_driver_sql("SELECT message FROM audit").scalars()]
    looks = [one for one in messages if "110103" in one and detail["study"] in one]
    assert looks
    assert all('UserID="ann"' in one and "P7" in one for one in looks)
    assert any('csd-code="110112"' in one for one in messages)
