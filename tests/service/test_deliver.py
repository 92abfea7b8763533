"""Each kind of target: what arrives there, and what its answers mean."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread

from lungflag.service.deliver import open_target
from lungflag.service.deliver.answer import State
from lungflag.service.ledger import Delivery
from lungflag.service.results import NAMES
from lungflag.service.settings import Settings, Target, load_settings
from tests.service.certificates import Identity, make_certificates
from tests.service.disks import small_disk
from tests.service.orthanc import free_port, running_orthanc
from tests.service.receivers import SECONDARY_CAPTURE, VERIFICATION, running_archive, running_site
from tests.service.results import AT, Made, make_results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.deliver.answer import Answer
    from tests.service.orthanc import Orthanc
    from tests.service.receivers import Archive, Site

SOURCE = "1.2.3.4"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with running_archive() as node:
        yield node


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as server:
        yield server


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=32m") as folder:
        yield folder


def the_target(kind: str, address: str | Path, **more: object) -> tuple[Target, Settings]:
    entry = {"name": "there", "kind": kind, "address": str(address), **more}
    settings = load_settings(None, {}, {"targets": [entry]})
    return settings.targets[0], settings


def a_delivery(made: Made, kind: str) -> Delivery:
    (one,) = (one for one in made.rendered if one.kind == kind)
    return Delivery(
        id=1,
        target="there",
        kind=one.kind,
        path=NAMES[one.kind],
        uid=one.uid,
        attempts=1,
        leased_by="test",
        error="",
        created_at=AT,
        job_id=1,
        sop_instance_uid=SOURCE,
        study_instance_uid=made.source.StudyInstanceUID,
        package="phantom",
        version="1.1.0",
        priority="HIGH",
    )


def send(made: Made, kind: str, address: str | Path, what: str, **more: object) -> Answer:
    """Deliver one result to a target of its own."""
    receiver = open_target(*the_target(kind, address, **more))
    try:
        delivery = a_delivery(made, what)
        return receiver.deliver(delivery, made.folder / delivery.path)
    finally:
        receiver.release()


@pytest.mark.parametrize("kind", ["dicom", "stow"])
def test_orthanc_gets_and_keeps_report_and_overlay_unchanged(
    made: Made, orthanc: Orthanc, kind: str
) -> None:
    address = (
        f"{orthanc.url}/dicom-web"
        if kind == "stow"
        else f"{orthanc.ae_title}@127.0.0.1:{orthanc.port}"
    )
    for what in ("sr", "sc", "sr"):  # again is no harm
        assert send(made, kind, address, what).state is State.DELIVERED
    for one in made.rendered:
        if one.kind != "fhir":
            assert orthanc.object(one.uid) == dcmread(made.folder / NAMES[one.kind])
    series = orthanc.get(f"/dicom-web/studies/{made.source.StudyInstanceUID}/series")
    assert sorted(one["00080060"]["Value"][0] for one in series) == ["OT", "SR"]


@pytest.mark.parametrize(
    ("status", "state", "word"),
    [
        (0x0000, State.DELIVERED, ""),
        (0x0111, State.DELIVERED, ""),  # it has it already
        (0xB000, State.DELIVERED, "warning B000H"),
        (0xA700, State.FAILED, "out of resources"),
        (0x0110, State.FAILED, "processing failure"),
        (0x0122, State.REFUSED, "SOP class not supported"),
        (0xA900, State.REFUSED, "does not match"),
        (0xC123, State.REFUSED, "cannot understand"),
    ],
)
def test_a_status_of_c_store_says_whether_to_try_again(
    made: Made, archive: Archive, status: int, state: State, word: str
) -> None:
    archive.statuses.append(status)
    answer = send(made, "dicom", archive.address, "sr")
    assert answer.state is state
    assert word in answer.reason


def test_one_association_serves_a_burst_and_a_lost_one_is_replaced(made: Made) -> None:
    delivery = a_delivery(made, "sr")
    with running_archive() as archive:
        receiver = open_target(*the_target("dicom", archive.address))
        for _ in range(3):
            receiver.deliver(delivery, made.folder / delivery.path)
        assert archive.associations == 1
        archive.drop_associations()
        answer = receiver.deliver(delivery, made.folder / delivery.path)
        assert answer.state is State.DELIVERED
        assert archive.associations == 2
        assert archive.arrived == {delivery.uid: 4}
        receiver.release()
        receiver.deliver(delivery, made.folder / delivery.path)
        assert archive.associations == 3
        receiver.release()


def test_a_peer_that_does_not_take_reports_refuses_them(made: Made) -> None:
    with running_archive(takes=[SECONDARY_CAPTURE, VERIFICATION]) as archive:
        answer = send(made, "dicom", archive.address, "sr")
        assert send(made, "dicom", archive.address, "sc").state is State.DELIVERED
    assert answer.state is State.REFUSED
    assert answer.reason == "does not take Comprehensive 3D SR Storage"


def test_a_peer_that_does_not_let_us_in_or_is_away_is_tried_again(made: Made) -> None:
    with running_archive(callers=["SOMEBODY"]) as archive:
        answer = send(made, "dicom", archive.address, "sr")
        assert answer.state is State.UNREACHABLE
        assert answer.reason == "does not let us in (Calling AE title not recognised)"
        one = send(made, "dicom", archive.address, "sr", calling="SOMEBODY")
        assert one.state is State.DELIVERED
    answer = send(made, "dicom", archive.address, "sr")
    assert answer.state is State.UNREACHABLE
    assert answer.reason == f"cannot be reached at 127.0.0.1:{archive.port}"


def test_dicom_over_tls_with_certificates_on_both_sides(made: Made, tmp_path: Path) -> None:
    ours = make_certificates(tmp_path)
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(ours.peer.certificate),
        "DicomTlsPrivateKey": str(ours.peer.key),
        "DicomTlsTrustedCertificates": str(ours.ca),
    }
    with running_orthanc(tmp_path / "orthanc", **options) as orthanc:
        address = f"{orthanc.ae_title}@127.0.0.1:{orthanc.port}"
        target, settings = the_target("dicom", address)
        target = replace(target, tls=True)

        def answer(who: Identity) -> Answer:
            secure = replace(
                settings, tls_certificate=who.certificate, tls_key=who.key, tls_ca=ours.ca
            )
            receiver = open_target(target, secure)
            delivery = a_delivery(made, "sr")
            try:
                return receiver.deliver(delivery, made.folder / delivery.path)
            finally:
                receiver.release()

        assert answer(ours.service).state is State.DELIVERED
        for stranger in (ours.expired, ours.foreign):
            assert answer(stranger).state is State.UNREACHABLE
        assert open_target(replace(target, tls=False), settings).check() != ""


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, b"", State.DELIVERED),
        (202, b"<NativeDicomModel/>", State.DELIVERED),
        (200, b'{"00081198": {"vr": "SQ", "Value": []}}', State.DELIVERED),
        (409, 0x0122, State.REFUSED),
        (409, 0xA700, State.FAILED),
        (202, 0xC000, State.REFUSED),
        (409, b"not JSON", State.REFUSED),
        (400, b"", State.REFUSED),
        (415, b"", State.REFUSED),
        (500, b"", State.FAILED),
        (503, b"", State.UNREACHABLE),
        (429, b"", State.UNREACHABLE),
        (401, b"", State.UNREACHABLE),
        (404, b"", State.UNREACHABLE),
        (302, b"", State.UNREACHABLE),
    ],
)
def test_an_answer_of_stow_says_whether_to_try_again(
    made: Made, site: Site, status: int, body: bytes | int, state: State
) -> None:
    if isinstance(body, int):  # of the Store Instances Response Module
        reason = {"00081197": {"vr": "US", "Value": [body]}}
        body = json.dumps({"00081198": {"vr": "SQ", "Value": [reason]}}).encode()
    site.answers.append((status, body))
    answer = send(made, "stow", site.address, "sr", token="secret")
    assert answer.state is state
    method, path, headers, content = site.requests[-1]
    assert (method, path) == ("POST", "/base/studies")
    assert headers["Authorization"] == "Bearer secret"
    boundary = headers["Content-Type"].partition("boundary=")[2]
    assert content.count(boundary.encode()) == 2
    assert (made.folder / NAMES["sr"]).read_bytes() in content


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, State.DELIVERED), (422, State.REFUSED), (500, State.FAILED), (403, State.UNREACHABLE)],
)
def test_a_bundle_is_posted_to_the_base(made: Made, site: Site, status: int, state: State) -> None:
    site.answers.append((status, b"{}"))
    answer = send(made, "fhir", site.address, "fhir", user="us", password="secret")
    assert answer.state is state
    method, path, headers, content = site.requests[-1]
    assert (method, path) == ("POST", "/base")
    assert headers["Content-Type"] == "application/fhir+json"
    assert headers["Authorization"] == "Basic dXM6c2VjcmV0"
    assert json.loads(content)["type"] == "transaction"


@pytest.mark.parametrize("kind", ["stow", "fhir"])
def test_a_server_that_is_away_is_tried_again(made: Made, kind: str) -> None:
    address = f"http://127.0.0.1:{free_port()}/"
    answer = send(made, kind, address, "fhir" if kind == "fhir" else "sr")
    assert answer.state is State.UNREACHABLE
    assert answer.reason.startswith("cannot be reached")


def test_files_are_whole_and_named_by_study_and_instance(made: Made, tmp_path: Path) -> None:
    for what in ("sr", "sc", "fhir", "sr"):
        assert send(made, "files", tmp_path / "out", what).state is State.DELIVERED
    study = tmp_path / "out" / made.source.StudyInstanceUID
    assert sorted(path.name for path in study.iterdir()) == [
        f"{SOURCE}-phantom-1.1.0-{name}" for name in ("bundle.json", "overlay.dcm", "report.dcm")
    ]
    for name in NAMES.values():
        copy = study / f"{SOURCE}-phantom-1.1.0-{name}"
        assert copy.read_bytes() == (made.folder / name).read_bytes()


def test_files_on_another_file_system_are_copies(made: Made, other_disk: Path) -> None:
    assert send(made, "files", other_disk, "sc").state is State.DELIVERED
    (copy,) = (other_disk / made.source.StudyInstanceUID).iterdir()
    assert copy.stat().st_nlink == 1
    assert copy.read_bytes() == (made.folder / NAMES["sc"]).read_bytes()


def test_files_on_one_file_system_are_not_written_twice(made: Made, tmp_path: Path) -> None:
    assert send(made, "files", tmp_path / "out", "sc").state is State.DELIVERED
    (place,) = (tmp_path / "out" / made.source.StudyInstanceUID).iterdir()
    assert place.samefile(made.folder / NAMES["sc"])


def test_a_folder_that_cannot_be_written_is_tried_again(made: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = send(made, "files", tmp_path / "file" / "out", "sr")
    assert answer.state is State.UNREACHABLE
    assert "Not a directory" in answer.reason


@pytest.mark.parametrize("kind", ["dicom", "stow", "fhir", "files"])
def test_a_result_that_is_gone_is_no_crash(made: Made, tmp_path: Path, kind: str) -> None:
    address = {"dicom": "A@127.0.0.1:1", "files": str(tmp_path)}.get(kind, "http://127.0.0.1:1")
    receiver = open_target(*the_target(kind, address))
    answer = receiver.deliver(a_delivery(made, "sr"), tmp_path / "nothing")
    assert answer.state is State.FAILED
    assert answer.reason == "its file cannot be read (No such file or directory)"


def test_each_kind_says_whether_its_peer_is_there(
    tmp_path: Path, orthanc: Orthanc, site: Site
) -> None:
    fine = [
        ("dicom", f"ORTHANC@127.0.0.1:{orthanc.port}"),
        ("stow", f"{orthanc.url}/dicom-web"),
        ("files", str(tmp_path / "new" / "folder")),
    ]
    for kind, address in fine:
        assert open_target(*the_target(kind, address)).check() == ""
    assert open_target(*the_target("fhir", site.address)).check() == ""
    assert site.requests[-1][:2] == ("GET", "/base/metadata")
    (tmp_path / "file").write_text("")
    bad = [
        ("dicom", f"WRONG@127.0.0.1:{orthanc.port}", "Called AE title not recognised"),
        ("dicom", f"A@127.0.0.1:{free_port()}", "cannot be reached"),
        ("stow", f"{orthanc.url}/elsewhere", "status 404"),
        ("fhir", f"http://127.0.0.1:{free_port()}", "cannot be reached"),
        ("files", str(tmp_path / "file"), "cannot be written"),
    ]
    for kind, address, word in bad:
        assert word in open_target(*the_target(kind, address)).check()
