"""`lungflag check`: it finds what is wrong, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from lungflag.service.check import Line, check
from lungflag.service.ledger import Ledger
from lungflag.service.settings import Settings, load_settings
from tests.service.orthanc import free_port
from tests.service.receivers import running_archive
from tests.service.results import enter, make_results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {
        "folder": tmp_path / "service",
        "model": "phantom",
        "keep_free_mib": 0,
        "memory_mib": 1024,
        "port": free_port(),
        "http_port": free_port(),
    }
    return load_settings(None, {}, flags)


def lines(settings: Settings) -> dict[str, Line]:
    return {line.name: line for line in check(settings)}


def line_of(settings: Settings, name: str, *, create: bool = False) -> Line:
    """Return one line, without looking at what comes after it."""
    return next(line for line in check(settings, create=create) if line.name == name)


def bad(settings: Settings) -> dict[str, Line]:
    return {name: line for name, line in lines(settings).items() if not line.fine}


def with_targets(settings: Settings, *entries: dict[str, Any]) -> Settings:
    return replace(settings, targets=load_settings(None, {}, {"targets": entries}).targets)


def test_a_fresh_folder_without_configuration_is_fine(settings: Settings) -> None:
    found = lines(settings)
    assert all(line.fine for line in found.values()), found
    assert list(found) == [
        *("folder", "TLS", "ledger", "model", "DICOM port", "HTTP port"),
        *("station port", "target files"),
    ]
    assert found["ledger"].found == "not made yet: the first start makes it"
    assert found["model"].found.startswith("phantom 1.1.0, judges (a synthetic film in ")
    assert found["model"].found.endswith((" s on the CPU)", " s on the CUDA)"))
    assert line_of(settings, "ledger", create=True).found.startswith("0 judged")


def test_each_fault_has_its_line_and_its_advice(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with running_archive() as stranger:
        wrong = replace(
            settings,
            folder=tmp_path / "file" / "service",
            model=str(tmp_path),
            http_port=stranger.port,
            watch=tmp_path / "nothing",
        )
        entry = {"name": "pacs", "kind": "dicom", "address": f"PACS@127.0.0.1:{free_port()}"}
        found = bad(with_targets(wrong, entry))
    assert list(found) == [*("folder", "model", "HTTP port", "watch folder", "target pacs")]
    assert all(line.advice for line in found.values())
    assert "cannot be written (Not a directory)" in found["folder"].found
    assert found["HTTP port"].found.endswith("Address already in use")
    assert "cannot be reached" in found["target pacs"].found


def test_a_full_disk_and_too_little_memory_are_found(settings: Settings) -> None:
    found = bad(replace(settings, keep_free_mib=2**29, memory_mib=64))
    assert list(found) == ["folder", "model"]
    assert "nothing is accepted below" in found["folder"].advice
    assert found["model"].found == "phantom: takes more than memory_mib, 64"


def test_a_port_where_a_service_answers_to_our_name_is_fine(settings: Settings) -> None:
    with running_archive() as archive:
        running = replace(settings, ae_title="ARCHIVE", port=archive.port)
        found = line_of(replace(running, model="nothing"), "DICOM port").found
        assert found.endswith("where this service is running")


@pytest.mark.parametrize(
    ("days", "fine", "advice"),
    [(365, True, ""), (10, True, "get a new one in time"), (-1, False, "get a new one")],
)
def test_certificates_are_read(
    settings: Settings, tmp_path: Path, days: int, fine: bool, advice: str
) -> None:
    authority = trustme.CA()
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    start = end - timedelta(days=400)
    issued = authority.issue_cert("localhost", not_before=start, not_after=end)
    paths = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(paths[0])
    issued.private_key_pem.write_to_path(paths[1])
    authority.cert_pem.write_to_path(paths[2])
    secure = replace(settings, tls_certificate=paths[0], tls_key=paths[1], tls_ca=paths[2])
    line = line_of(secure, f"certificate {paths[0]}")
    assert (line.fine, line.advice) == (fine, advice)
    assert f"{end:%Y-%m-%d}" in line.found
    other = authority.issue_cert("localhost").private_key_pem
    other.write_to_path(paths[1])
    line = line_of(secure, "TLS")
    assert not line.fine
    assert line.advice == "set tls_certificate, tls_key and tls_ca anew"


def test_work_that_nobody_does_and_dead_letters_need_a_person(
    settings: Settings, tmp_path: Path
) -> None:
    settings.folder.mkdir()
    elsewhere = with_targets(
        settings,
        {"name": "old", "kind": "files", "address": str(tmp_path / "old")},
        {"name": "pacs", "kind": "files", "address": str(tmp_path / "pacs")},
    )
    made = make_results(tmp_path / "results")
    with Ledger.open(settings.database_url, create=True) as ledger:
        enter(ledger, elsewhere, made)
        for delivery in ledger.lease_deliveries("test", "pacs", 9, 60):
            ledger.undelivered(delivery, "refused", None)
        instance = ledger.instance(f"{made.source.SOPInstanceUID}.1")
        ledger.receive(instance, package="phantom", version="0.1", priority="LOW")
    before_model = takewhile(lambda line: line.name != "model", check(settings))
    found = [line for line in before_model if not line.fine]
    assert [(line.name, line.found) for line in found] == [
        ("deliveries", "3 results could not be delivered"),
        ("jobs", "1 wait for phantom 0.1, which is not the setting model"),
        ("deliveries", "3 wait for the target old, which is not in the settings"),
    ]
