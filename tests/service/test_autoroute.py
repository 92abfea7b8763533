"""The rule of deploy/orthanc: what arrives there goes to lungflag, and its results come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from pydicom import dcmread, uid

from tests.service import dcmtk
from tests.service.films import phantom_pixels, write_film
from tests.service.orthanc import running_orthanc
from tests.service.service import serving
from tests.service.waiting import until
from tests.test_deploy import DEPLOY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_film_that_orthanc_gets_is_judged_and_its_results_come_back(tmp_path: Path) -> None:
    rule = DEPLOY / "orthanc" / "lungflag.lua"
    with running_orthanc(tmp_path / "orthanc", LuaScripts=[str(rule)]) as orthanc:
        archive = {
            "name": "archive",
            "kind": "dicom",
            "address": f"{orthanc.ae_title}@127.0.0.1:{orthanc.port}",
        }
        with serving(tmp_path / "service", targets=[archive], model="phantom") as service:
            peer = {"AET": "LUNGFLAG", "Host": "127.0.0.1", "Port": service.port}
            httpx2.put(
                f"{orthanc.url}/modalities/lungflag", json=peer, trust_env=False
            ).raise_for_status()
            path = write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels(seed=5))
            assert dcmtk.call("storescu", orthanc.port, path, called=orthanc.ae_title) == ""
            study = dcmread(path).StudyInstanceUID

            def modalities() -> list[str]:
                series = orthanc.get("/dicom-web/series", StudyInstanceUID=study)
                return sorted(one["00080060"]["Value"][0] for one in series)

            until(lambda: modalities() == ["DX", "OT", "SR"], seconds=60, what="results")
            # Nothing goes in circles: reports and overlays are not sent to be judged.
            assert service.queue().jobs_done == 1
