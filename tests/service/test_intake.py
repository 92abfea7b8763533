from __future__ import annotations

import struct
import time
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.dataset import Dataset

from lungflag.errors import RefusedError, SpoolFullError
from lungflag.radiograph.header import LONGEST_HEADER
from lungflag.service.incoming import file_head
from lungflag.service.intake import CODES, SOP_CLASSES, Receipt
from lungflag.service.ledger import NewDelivery
from lungflag.service.spool import Spool
from tests.radiograph.objects import content, dx
from tests.service.doors import open_door
from tests.service.rows import make_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lungflag.service.settings import Settings
    from tests.service.doors import Door

PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
UIDS = {
    "SOPInstanceUID": "1.2.3.1",
    "StudyInstanceUID": "1.2.2.1",
    "SeriesInstanceUID": "1.2.4.1",
}


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened


def film(**attributes: Any) -> bytes:
    """Return a DX object as a file."""
    ds = dx(PIXELS, 12, **(UIDS | attributes))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    return content(ds)


def _accept(door: Door, data: bytes, priority: str = "") -> Receipt:
    return door.intake.accept(data, via="dimse", peer="XRAY1@192.0.2.7", priority=priority)


def _refusal(door: Door, data: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        _accept(door, data)
    assert caught.value.code in CODES
    assert "\n" not in caught.value.reason
    return caught.value


def test_an_object_is_stored_and_entered(door: Door) -> None:
    data = film(PatientName="Müller^Zoë", AccessionNumber="A1", SpecificCharacterSet="ISO_IR 100")
    assert _accept(door, data) == Receipt("1.2.3.1", "1.2.2.1", new=True)
    assert door.stored("1.2.3.1").read_bytes() == data
    row = door.instance("1.2.3.1")
    assert (row.patient_name, row.accession_number) == ("Müller^Zoë", "A1")
    assert (row.via, row.peer, row.size) == ("dimse", "XRAY1@192.0.2.7", len(data))
    assert row.transfer_syntax_uid == uid.ExplicitVRLittleEndian
    assert door.jobs() == 1
    assert door.counted("lungflag_received_total", via="dimse") == 1


def test_the_same_again_is_a_success_and_no_work(door: Door) -> None:
    first, other = film(), film(PatientName="Another^Name")
    assert _accept(door, first).new
    assert not _accept(door, first).new
    assert not _accept(door, other).new
    assert door.stored("1.2.3.1").read_bytes() == first
    assert len(list((door.settings.folder / "objects").rglob("*.dcm"))) == 1
    assert door.jobs() == 1
    assert door.counted("lungflag_repeated_total", via="dimse", differs="no") == 1
    assert door.counted("lungflag_repeated_total", via="dimse", differs="yes") == 1


def test_the_same_at_once_through_many_doors(door: Door) -> None:
    contents = [film(PatientName=f"Name^{n % 3}") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda data: _accept(door, data), contents))
    assert sum(receipt.new for receipt in receipts) == 1
    assert door.stored("1.2.3.1").read_bytes() in contents
    assert door.jobs() == 1


@pytest.mark.parametrize("sop_class", SOP_CLASSES)
def test_every_projection_is_taken_in(door: Door, sop_class: str) -> None:
    assert _accept(door, film(SOPClassUID=sop_class)).new


def test_the_urgency_that_came_in(door: Door) -> None:
    for n, (word, message, expected) in enumerate(
        [
            ("", "", "MEDIUM"),
            ("", "LOW", "LOW"),
            ("STAT", "LOW", "HIGH"),
            ("ROUTINE", "LOW", "MEDIUM"),
            ("nonsense", "HIGH", "HIGH"),
        ]
    ):
        numbers = {"SOPInstanceUID": f"1.2.3.{n}", "StudyInstanceUID": f"1.2.2.{n}"}
        data = film(**numbers, RequestedProcedurePriority=word)
        _accept(door, data, priority=message)
        assert door.ledger.recent(1)[0].priority == expected


@pytest.mark.parametrize(
    ("attributes", "code", "reason"),
    [
        ({"SOPClassUID": uid.CTImageStorage}, "sop-class", "CT Image Storage"),
        ({"SOPClassUID": "Zoë"}, "sop-class", "it has no SOP Class UID"),
        ({"SOPClassUID": uid.Comprehensive3DSRStorage}, "sop-class", "Comprehensive 3D SR"),
        ({"StudyInstanceUID": ""}, "uid", "has no StudyInstanceUID"),
        ({"SeriesInstanceUID": "1.2.x"}, "uid", "has no SeriesInstanceUID"),
        ({"SOPInstanceUID": ".."}, "uid", "has no SOPInstanceUID"),  # no way out of a folder
        ({"SOPInstanceUID": "1" * 65}, "uid", "has no SOPInstanceUID"),
    ],
)
def test_what_may_not_come_in(
    door: Door, attributes: dict[str, str], code: str, reason: str
) -> None:
    ds = dcmread(BytesIO(film()))
    data = film()
    for keyword, value in attributes.items():
        data = data.replace(_element(ds, keyword), _encoded(keyword, value))
    refusal = _refusal(door, data)
    assert refusal.code == code
    assert reason in refusal.reason
    assert "Zoë" not in refusal.reason
    assert door.counted("lungflag_refused_total", via="dimse", code=code) == 1
    assert not list((door.settings.folder / "objects").rglob("*.dcm"))


def _element(ds: Dataset, keyword: str) -> bytes:
    return _encoded(keyword, str(ds[keyword].value))


def _encoded(keyword: str, value: str) -> bytes:
    """Return a UID element of the data set in explicit VR little endian."""
    tag = Dataset()
    setattr(tag, keyword, "1")
    (element,) = tag
    text = value.encode("latin-1")
    text += b"\0" * (len(text) % 2)
    return struct.pack("<HH2sH", element.tag.group, element.tag.element, b"UI", len(text)) + text


def test_what_is_no_dicom(door: Door) -> None:
    for data in (b"", b"GIF89a", b"\0" * 200, film()[128:], b"\0" * 128 + b"DICM"):
        assert _refusal(door, data).code in ("unreadable", "sop-class")


def test_a_file_without_transfer_syntax(door: Door) -> None:
    body = film()[144 + struct.unpack_from("<I", film(), 140)[0] :]
    refusal = _refusal(door, _part_10(body, syntax=""))
    assert (refusal.code, refusal.reason) == ("unreadable", "does not say its transfer syntax")


def test_our_own_results_are_not_judged(door: Door) -> None:
    _accept(door, film())
    (job,) = door.ledger.lease_jobs("w", door.package.name, door.package.version, 1, 60)
    overlay = NewDelivery(target="pacs", kind="sc", path="r/overlay.dcm", uid="2.25.7")
    door.ledger.complete(job, make_finding(), [overlay])
    back = film(SOPClassUID=uid.SecondaryCaptureImageStorage, SOPInstanceUID="2.25.7")
    assert _refusal(door, back).code == "own-result"


def test_a_newer_package_version_judges_again(settings: Settings) -> None:
    with open_door(settings) as door:
        _accept(door, film())
        newer = replace(door.package, version="99")
        door.intake._package = newer
        assert _accept(door, film()).new
        assert not _accept(door, film()).new
        assert door.jobs() == 2
        assert len(list((door.settings.folder / "objects").rglob("*.dcm"))) == 1


def test_a_full_disk_acknowledges_nothing(settings: Settings) -> None:
    free = Spool(settings.folder).free_mib()
    with open_door(replace(settings, keep_free_mib=free + 1000)) as door:
        with pytest.raises(SpoolFullError):
            _accept(door, film())
        assert door.ledger.find("1.2.3.1", package="phantom", version="1").sha256 is None


def test_control_characters_and_endless_names_reach_no_database(door: Door) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = film(PatientID="A\x00B\x1bC", PatientName="x" * 5000, StudyDate="2026")
    _accept(door, data)
    row = door.instance("1.2.3.1")
    assert row.patient_id == "ABC"
    assert len(row.patient_name) == 324


# Hostile headers


def _part_10(body: bytes, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """Return a file with any data set."""
    return file_head(SOP_CLASSES[0], "1.2.3.1", syntax) + body


_SEQUENCE = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_part_10((_SEQUENCE + _ITEM) * 100_000), id="nested"),
        pytest.param(_part_10(struct.pack("<HH2sH", 9, 1, b"LO", 0) * 2_000_000), id="endless"),
        pytest.param(
            _part_10(struct.pack("<HH2sHI", 9, 2, b"UN", 0, 0xFFFFFFFF) + bytes(2**24)), id="UN"
        ),
        pytest.param(_part_10(struct.pack("<HH2sHI", 8, 8, b"UT", 0, 2**32 - 2)), id="long"),
        pytest.param(
            _part_10(zlib.compress(bytes(2**28), 9)[2:-4], uid.DeflatedExplicitVRLittleEndian),
            id="bomb",
        ),
    ],
)
def test_a_hostile_header_costs_little(door: Door, data: bytes) -> None:
    tracemalloc.start()
    started = time.process_time()
    try:
        _refusal(door, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * LONGEST_HEADER
    assert time.process_time() - started < 5


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_taken_in_or_refused(door: Door, data: st.DataObject) -> None:
    """Any octets changed, cut or put in: an answer, one of ours, and nothing in between."""
    original = film(SpecificCharacterSet="\\ISO 2022 IR 87")
    octets = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=12))
        if not octets:
            octets += b"\0"
    before, code = door.jobs(), ""
    try:
        receipt = _accept(door, bytes(octets))
    except RefusedError as refusal:
        code = refusal.code
    if code:
        assert code in CODES
        assert door.jobs() == before
    else:
        assert door.knows(receipt.sop_instance_uid)
        assert door.jobs() == before + receipt.new
