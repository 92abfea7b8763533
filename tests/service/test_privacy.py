"""What the service tells of itself holds nothing of a patient."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from pydicom import uid
from pynetdicom import AE

from tests.radiograph.objects import content, dx
from tests.service.films import phantom_pixels
from tests.service.service import serving
from tests.service.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset

PLANTED = ("PLANTEDNAME", "PLANTEDID", "PLANTEDACC", "PLANTEDCOMMENT", "19310713")


def film(n: int, **attributes: Any) -> FileDataset:
    """Return a film full of what must not get out."""
    about = {
        "SOPInstanceUID": f"1.2.3.{n}",
        "PatientName": "PLANTEDNAME^ZOË",
        "PatientID": f"PLANTEDID{n}",
        "AccessionNumber": "PLANTEDACC",
        "PatientComments": "PLANTEDCOMMENT",
        "PatientBirthDate": "19310713",
        "SpecificCharacterSet": "ISO_IR 100",
    }
    return dx(phantom_pixels(), 12, **(about | attributes))


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # here, where the film is made
@pytest.mark.slow
def test_logs_metrics_and_answers_name_no_patient(tmp_path: Path) -> None:
    away = {"name": "away", "kind": "dicom", "address": "PACS@127.0.0.1:9"}
    share = {"name": "share", "kind": "files", "address": str(tmp_path / "share")}
    with serving(tmp_path, targets=[away, share], log_level="debug", attempts=1) as service:
        texts = [_send_over_dicom(service.port), _send_over_web(service.http_port)]
        until(lambda: service.queue().jobs_done == 5, seconds=120)
        until(lambda: service.queue().deliveries_done >= 5, seconds=60)
        root = f"http://127.0.0.1:{service.http_port}"
        texts += [
            httpx2.get(f"{root}/{page}", trust_env=False).text for page in ("metrics", "ready")
        ]
    texts += [service.log.read_text(), service.said.read_text()]
    assert service.log.read_text().count("\n") > 10
    for line in service.log.read_text().splitlines():
        json.loads(line)
    for text in texts:
        assert not [word for word in PLANTED if word in text]


def _send_over_dicom(port: int) -> str:
    """Send what is judged, what is rejected, and what is refused."""
    entity = AE("SENDER")
    for sop_class in (uid.DigitalXRayImageStorageForPresentation, uid.CTImageStorage):
        entity.add_requested_context(sop_class)
    association = entity.associate("127.0.0.1", port, ae_title="LUNGFLAG")
    assert association.is_established
    films = [
        film(1),
        film(2, PixelData=b"\0" * 10),
        film(3, BodyPartExamined="PLANTEDCOMMENT"),
        film(4, ViewPosition="LL", PatientOrientation=["A", "F"]),
        film(1, PatientComments="other content"),
        film(5, StudyInstanceUID="PLANTEDNAME"),
    ]
    said = ""
    for one in films:
        status = association.send_c_store(one)
        said += f"{status.Status:04x} {status.get('ErrorComment', '')}\n"
    association.release()
    assert said.count("0000") == 5
    return said


def _send_over_web(port: int) -> str:
    """Send a film, one cut short, and no film at all."""
    whole = content(film(6, PixelSpacing=["1", "1"]))
    parts = [whole, content(film(7))[:400], b"PLANTEDNAME is no DICOM"]
    body = b"".join(
        b"--x\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts
    )
    response = httpx2.post(
        f"http://127.0.0.1:{port}/studies",
        content=BytesIO(body + b"--x--").getvalue(),
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'},
        trust_env=False,
    )
    assert response.status_code == 202
    return response.text + str(np.array(list(response.headers.items())))
