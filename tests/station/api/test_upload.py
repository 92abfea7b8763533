"""POST /images: what comes in, what does not, and the same again."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.station.api.reading_room import DICOM, NOW, judged, phantom, picture

if TYPE_CHECKING:
    from tests.station.api.reading_room import Room

PNG = {"Content-Type": "image/png"}


def test_an_image_is_judged_while_the_client_waits(room: Room) -> None:
    with room.machine() as client:
        answer = client.post("/images?priority=HIGH", content=phantom(), headers=NOW)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert answer.headers["Location"] == f"/api/v1/images/{found['image']}"
        assert answer.headers["Preference-Applied"] == "wait=30"
        assert found["outcome"]["kind"] == "finding"
        assert found["outcome"]["flagged"] is True
        assert (found["rows"], found["columns"], found["view_position"]) == (192, 192, "PA")
        assert client.get(f"/images/{found['image']}").json()["outcome"] == found["outcome"]
        again = client.post("/images", content=phantom(), headers=DICOM)
        assert (again.status_code, again.json()["image"]) == (201, found["image"])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_file_is_judged_and_goes_nowhere(room: Room, kind: str) -> None:
    with room.machine() as client:
        headers = {"Content-Type": f"image/{kind.lower()}", "Prefer": "wait=30"}
        answer = client.post("/images", content=picture(1, kind), headers=headers)
        found = answer.json()
        assert (answer.status_code, found["outcome"]["kind"]) == (201, "finding"), answer.text
        assert found["image"].startswith("2.25.")
        assert found["deliveries"] == []
        form = {"file": ("film.bin", picture(1, kind), f"image/{kind.lower()}")}
        same = client.post("/images", files=form)
        assert (same.status_code, same.json()["image"]) == (201, found["image"])
        assert client.get(f"/images/{found['image']}/report").content[128:132] == b"DICM"
        assert client.get(f"/images/{found['image']}/pixels").headers["X-Rows"] == "192"


def test_what_is_not_judged_yet_can_be_asked_for_later(quiet: Room) -> None:
    with quiet.machine() as client:
        headers = {**DICOM, "Prefer": "wait=1"}
        answer = client.post("/images", content=phantom(), headers=headers)
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["outcome"]) == ("waiting", None)
        assert client.get(answer.headers["Location"].removeprefix("/api/v1")).status_code == 200


def test_a_key_has_its_effect_once(quiet: Room) -> None:
    with quiet.machine() as client, quiet.machine(name="other") as other:
        headers = {**DICOM, "Idempotency-Key": "k-1"}
        first = client.post("/images", content=phantom(), headers=headers)
        again = client.post("/images", content=phantom(), headers=headers)
        assert (first.status_code, first.text) == (again.status_code, again.text)
        differs = client.post("/images", content=phantom(2), headers=headers)
        assert (differs.status_code, differs.json()["title"]) == (422, "Key used before")
        assert other.post("/images", content=phantom(2), headers=headers).status_code == 202
        refused = {**DICOM, "Idempotency-Key": "k-2"}
        assert client.post("/images", content=b"no", headers=refused).status_code == 422
        assert client.post("/images", content=phantom(4), headers=refused).status_code == 202
    assert quiet.desk.ledger.queue().jobs_waiting == 3


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"x", 415),
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({**PNG, "Content-Encoding": "gzip"}, b"x", 415),
        (PNG, b"", 422),
        (PNG, b"GIF89a", 422),
        (DICOM, b"\0" * 200, 422),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--\r\n", 422),
        ({**DICOM, "Idempotency-Key": "a b"}, b"x", 422),
        (DICOM, bytes(2**20 + 1), 413),
    ],
)
def test_what_does_not_come_in(
    quiet: Room, headers: dict[str, str], body: bytes, status: int
) -> None:
    with quiet.machine() as client:
        answer = client.post("/images", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert quiet.desk.ledger.queue().jobs_waiting == 0


def test_a_body_without_length_is_cut_off_where_it_grows_too_large(quiet: Room) -> None:
    with quiet.machine() as client:
        key = client.headers["Authorization"]
    head = (
        f"POST /api/v1/images HTTP/1.1\r\nHost: 127.0.0.1:{quiet.port}\r\n"
        f"Authorization: {key}\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + bytes(2**16) + b"\r\n"
    with socket.create_connection(("127.0.0.1", quiet.port), timeout=30) as line:
        line.sendall(head.encode())
        answer = b""
        try:
            for _ in range(64):  # four times the limit
                line.sendall(piece)
        except OSError:
            pass  # it has closed its end
        else:
            answer = line.recv(2**16)
        answer = answer or line.recv(2**16)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]


def test_who_may_send_and_not_see_learns_nothing_of_patients(room: Room) -> None:
    with room.machine() as client:
        judged(client, phantom())
    with room.machine("images:write", name="sender") as sender:
        answer = sender.post("/images", content=phantom(), headers=NOW)
        assert answer.status_code == 201
        assert "PHANTOM" not in answer.text
        assert answer.json()["outcome"]["kind"] == "finding"
        assert sender.get(f"/images/{answer.json()['image']}").status_code == 403
    with room.machine("studies:read", name="looker") as looker:
        assert looker.post("/images", content=phantom(), headers=DICOM).status_code == 403
