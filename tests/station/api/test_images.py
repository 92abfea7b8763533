"""What there is of an image: pixels, heatmap, results; and who looked at it."""

from __future__ import annotations

import sqlite3
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydicom import dcmread

from lungflag.radiograph import read_radiograph
from tests.radiograph.objects import content, dx
from tests.service.films import phantom_pixels
from tests.station.api.reading_room import DICOM, judged, phantom

if TYPE_CHECKING:
    from tests.station.api.reading_room import Room


def test_pixels_are_as_a_person_shall_see_them(quiet: Room) -> None:
    stored = phantom_pixels()
    film = dx(
        4095 - stored,
        12,
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=2048,
        WindowWidth=2000,
        ImagerPixelSpacing=[0.2, 0.1],
    )
    with quiet.machine() as client:
        sent = client.post("/images", content=content(film), headers=DICOM)
        path = f"/images/{sent.json()['image']}/pixels"
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        levels = np.frombuffer(answer.content, "<u2").reshape(256, 256)
        assert np.array_equal(levels, np.rint(stored / 4095 * 65535).astype(np.uint16))
        assert answer.headers["X-Pixel-Spacing"] == "0.2,0.1"
        center = float(answer.headers["X-Window-Center"])
        width = float(answer.headers["X-Window-Width"])
        seen = np.clip((levels - center) / width + 0.5, 0, 1)
        assert np.abs(seen - read_radiograph(film).pixels).max() < 1e-3
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert client.get(path, headers=tag).status_code == 304
        assert "private" in answer.headers["Cache-Control"]


def test_a_reduced_picture_is_the_mean_of_what_it_stands_for(room: Room) -> None:
    stored = (np.arange(2000 * 1000, dtype=np.uint32).reshape(2000, 1000) % 4096).astype(np.uint16)
    film = dx(stored, 12, PixelSpacing=[0.1, 0.1])
    with room.machine() as client:
        sent = client.post("/images", content=content(film), headers=DICOM)
        answer = client.get(f"/images/{sent.json()['image']}/pixels?max=1100")
        assert answer.status_code == 200, answer.text
        size = (int(answer.headers["X-Rows"]), int(answer.headers["X-Columns"]))
        full = (int(answer.headers["X-Full-Rows"]), int(answer.headers["X-Full-Columns"]))
        assert (size, full) == ((1000, 500), (2000, 1000))
        assert answer.headers["X-Pixel-Spacing"] == "0.2,0.2"
        spread = np.rint(stored / 4095 * 65535)
        means = spread.reshape(1000, 2, 500, 2).mean(axis=(1, 3))
        levels = np.frombuffer(answer.content, "<u2").reshape(size)
        assert np.abs(levels - means).max() <= 1


def test_results_of_a_finding(room: Room) -> None:
    with room.machine() as client:
        found = judged(client, phantom())
        path = f"/images/{found['image']}"
        heat = client.get(f"{path}/heatmap").json()
        values = np.array(heat["values"])
        assert values.shape == (heat["rows"], heat["columns"])
        corners = np.array(heat["peak"])
        row, column = np.unravel_index(values.argmax(), values.shape)
        assert corners[:, 0].min() <= column < corners[:, 0].max()
        assert corners[:, 1].min() <= row < corners[:, 1].max()
        small = client.get(f"{path}/thumbnail")
        assert small.headers["Content-Type"] == "image/jpeg"
        with Image.open(BytesIO(small.content)) as image:
            assert max(image.size) == 256
        for name in ("report", "overlay"):
            answer = client.get(f"{path}/{name}")
            assert answer.headers["Content-Type"] == "application/dicom"
            result = dcmread(BytesIO(answer.content))
            assert result.StudyInstanceUID == found["study"]
        assert client.get(f"{path}/fhir").json()["resourceType"] == "Bundle"
        assert client.get(f"{path}/report?revision=1").status_code == 404
        kinds = {(one["kind"], one["revision"]) for one in found["deliveries"]}
        assert kinds == {("sr", 0), ("sc", 0), ("fhir", 0)}


def test_a_rejection_has_a_reason_and_no_picture_of_a_finding(room: Room) -> None:
    with room.machine() as client:
        found = judged(client, phantom(2, ViewPosition="LL"))
        outcome, path = found["outcome"], f"/images/{found['image']}"
        assert (outcome["kind"], found["has_thumbnail"]) == ("rejection", False)
        assert outcome["reason"]
        assert outcome["meaning"]
        assert "probability" not in outcome
        for part in ("heatmap", "thumbnail", "overlay"):
            answer = client.get(f"{path}/{part}")
            assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
        assert client.get(f"{path}/report").status_code == 200
        assert client.get(f"{path}/pixels").status_code == 200


def test_pixels_that_cannot_be_decoded_or_are_gone(quiet: Room) -> None:
    film = dx(phantom_pixels(), 12)
    film.PixelData = film.PixelData[:1000]
    with quiet.machine() as client:
        sent = client.post("/images", content=content(film), headers=DICOM)
        path = f"/images/{sent.json()['image']}/pixels"
        answer = client.get(path)
        assert (answer.status_code, answer.json()["title"]) == (404, "Cannot be shown")
        assert client.get(path).status_code == 404  # not tried again
        for nothing in ("1.2.3", "9" * 64):
            assert client.get(f"/images/{nothing}/pixels").status_code == 404
        for no_uid in ("1.2.x", "..", "%2e%2e%2fledger.db", "1" * 65):
            assert client.get(f"/images/{no_uid}/report").status_code in (404, 422)


def test_who_looked_is_in_the_audit_trail_once_for_a_page(room: Room) -> None:
    with room.machine() as client:
        found = judged(client, phantom())
    with room.person("ann") as ann:
        for part in ("", "/heatmap", "/pixels", "/thumbnail"):
            assert ann.get(f"/images/{found['image']}{part}").status_code == 200
        ann.get("/studies")
        ann.get("/studies")
        ann.get("/studies?q=phantom")
    with sqlite3.connect(room.desk.context.settings.folder / "ledger.db") as ledger:
        messages = [row[0] for row in ledger.execute("SELECT message FROM audit")]
    ours = [one for one in messages if 'UserID="ann"' in one]
    assert len([one for one in ours if '"110103"' in one and found["study"] in one]) == 1
    assert len([one for one in ours if '"110112"' in one]) == 2
