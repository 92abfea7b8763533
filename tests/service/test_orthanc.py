"""From end to end: dcmtk sends to `lungflag serve`, which delivers to a real Orthanc."""

from __future__ import annotations

import re
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread, uid

from tests.conftest import tool
from tests.service import dcmtk, poison
from tests.service.films import phantom_pixels, real_pixels, write_film
from tests.service.orthanc import running_orthanc
from tests.service.service import Serving, serving
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom import Dataset

    from tests.service.orthanc import Orthanc

SYNTAXES = (uid.ExplicitVRLittleEndian, uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.RLELossless)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc) -> Iterator[Serving]:
    """Return a service that delivers to Orthanc by DIMSE and by DICOMweb, and into files."""
    folder = tmp_path_factory.mktemp("service")
    targets = [
        {"name": "pacs", "kind": "dicom", "address": f"ORTHANC@127.0.0.1:{orthanc.port}"},
        {"name": "web", "kind": "stow", "address": f"{orthanc.url}/dicom-web"},
        {"name": "disk", "kind": "files", "address": str(folder / "out")},
    ]
    with serving(folder, targets=targets, model="guangzhou") as one:
        yield one


def results_in(service: Serving, film: Dataset) -> list[Dataset]:
    """Wait for the files of a film's report and overlay, and return them."""
    folder = service.folder.parent / "out" / film.StudyInstanceUID
    names = ("report.dcm", "overlay.dcm")

    def there() -> list[Path]:
        return [path for name in names for path in folder.glob(f"{film.SOPInstanceUID}-*-{name}")]

    until(lambda: len(there()) == 2, seconds=60, what="results")
    return [dcmread(path) for path in there()]


def check_archive(orthanc: Orthanc, film: Dataset, results: list[Dataset]) -> None:
    """Compare what Orthanc has, by REST, DICOMweb and DIMSE, with what was made."""
    for result in results:
        name = result.SOPInstanceUID
        until(partial(orthanc.object, name), seconds=60, what="delivery")
        assert orthanc.object(name) == result
        assert result.StudyInstanceUID == film.StudyInstanceUID
        assert result.PatientID == film.PatientID
    series = orthanc.get(f"/dicom-web/studies/{film.StudyInstanceUID}/series")
    found = {one["00080060"]["Value"][0]: one["0020000E"]["Value"][0] for one in series}
    assert found == {one.Modality: one.SeriesInstanceUID for one in results}
    assert set(found) == {"SR", "OT"}
    assert find(orthanc, film.StudyInstanceUID) == {one.SeriesInstanceUID for one in results}


def find(orthanc: Orthanc, study: str) -> set[str]:
    """Return the series of a study, by C-FIND."""
    done = subprocess.run(
        [
            *(tool("findscu"), "-S", "-aec", orthanc.ae_title, "127.0.0.1", str(orthanc.port)),
            *("-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={study}"),
            *("-k", "SeriesInstanceUID"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(re.findall(r"\(0020,000e\) UI \[([\d.]+)", done.stdout + done.stderr))


@pytest.mark.slow
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda one: one.keyword)
def test_a_films_report_and_overlay_are_in_its_study(
    service: Serving, orthanc: Orthanc, tmp_path: Path, syntax: str
) -> None:
    path = write_film(tmp_path, syntax, phantom_pixels(seed=5))
    assert dcmtk.call("dcmsend", service.port, path) == ""
    film = dcmread(path)
    check_archive(orthanc, film, results_in(service, film))


@pytest.mark.slow
def test_a_film_that_may_not_be_judged_gets_a_report_alone(
    service: Serving, orthanc: Orthanc, tmp_path: Path
) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(poison.cut_short())
    assert dcmtk.call("dcmsend", service.port, path) == ""
    film = dcmread(path)

    def series() -> list[str]:
        found = orthanc.get("/dicom-web/series", StudyInstanceUID=film.StudyInstanceUID)
        return [one["00080060"]["Value"][0] for one in found]

    until(series, seconds=60, what="a report")
    until(lambda: service.queue().deliveries_waiting + service.queue().deliveries_leased == 0)
    assert series() == ["SR"]


@pytest.mark.slow
@pytest.mark.shared
def test_a_real_radiograph_is_judged_and_delivered(
    service: Serving, orthanc: Orthanc, shared: Path, tmp_path: Path
) -> None:
    path = write_film(tmp_path, uid.JPEGLSLossless, real_pixels(shared, 0))
    assert dcmtk.call("dcmsend", service.port, path) == ""
    film = dcmread(path)
    check_archive(orthanc, film, results_in(service, film))
