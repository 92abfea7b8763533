"""Pictures: decoded by a child that may be killed, kept on the disk while there is room."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from lungflag.errors import InputError
from lungflag.station.pictures.picture import SIDES, Picture, side_for
from lungflag.station.pictures.pictures import Pictures
from tests.radiograph.objects import content, dx
from tests.service import poison
from tests.service.films import BY_DCMTK, BY_PYDICOM, phantom_pixels, write_film
from tests.service.processes import children
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHILD = "lungflag.station.pictures.child"


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[Pictures]:
    made = Pictures(tmp_path, memory_mib=1024, seconds=20)
    made.start()
    yield made
    made.stop()


def put(folder: Path, data: bytes) -> tuple[str, Path]:
    """Put an object where the spool would."""
    digest = sha256(data).hexdigest()
    path = folder / "objects" / digest[:2] / f"{digest}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest, path


def levels(picture: Picture) -> np.ndarray:
    about = picture.description
    return np.frombuffer(b"".join(picture.pieces()), "<u2").reshape(about.rows, about.columns)


@pytest.mark.parametrize("syntax", [*BY_DCMTK, *BY_PYDICOM])
def test_every_transfer_syntax(pictures: Pictures, tmp_path: Path, syntax: uid.UID) -> None:
    path = write_film(tmp_path, syntax, phantom_pixels())
    picture = pictures.get(*put(tmp_path, path.read_bytes()), 0)
    expected = phantom_pixels() / 4095
    lossy = syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEG2000)
    off = np.abs(levels(picture) / 65535 - expected)
    assert off.max() < (0.2 if lossy else 0.01)
    assert off.mean() < 0.01


def test_an_image_file_and_its_window(pictures: Pictures, tmp_path: Path) -> None:
    grey = (phantom_pixels() // 16).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    picture = pictures.get(*put(tmp_path, file.getvalue()), 0)
    assert np.array_equal(levels(picture), grey.astype(np.uint16) * 257)
    about = picture.description
    low, high = about.center - about.width / 2, about.center + about.width / 2
    inside = (levels(picture) >= low) & (levels(picture) <= high)
    assert 0.98 < inside.mean() < 1
    assert about.spacing is None


def test_a_reduced_picture_comes_before_the_whole_one(pictures: Pictures, tmp_path: Path) -> None:
    stored = np.kron(phantom_pixels(), np.ones((16, 12), dtype=np.uint16))
    digest, path = put(tmp_path, content(dx(stored, 12)))
    first = pictures.get(digest, path, 1024)
    assert max(first.description.rows, first.description.columns) == 1024
    assert pictures.get(digest, path, 0).size == 2 * stored.size


def test_many_who_ask_at_once_get_the_same(pictures: Pictures, tmp_path: Path) -> None:
    digest, path = put(tmp_path, content(dx(phantom_pixels(), 12)))
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(pictures.get, digest, path, side) for side in (0, 256, 1024) * 8]
        found = [one.result() for one in asked]
    assert len({picture.path for picture in found}) == 3
    assert not list(tmp_path.glob("pictures/*/*.tmp"))


def test_one_that_overruns_is_killed_and_harms_no_other(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, memory_mib=1024, seconds=2)
    pictures.start()
    try:
        bad = put(tmp_path, poison.long_tailed(8_000_000))
        good = put(tmp_path, content(dx(phantom_pixels(), 12)))
        with pytest.raises(InputError, match="took longer than 2 s"):
            pictures.get(*bad, 0)
        assert pictures.get(*good, 0).description.rows == 256
        alive = children(os.getpid(), CHILD)
        with pytest.raises(InputError, match="took longer"):
            pictures.get(*bad, 0)
        assert children(os.getpid(), CHILD) == alive  # it was remembered, and cost no other child
    finally:
        pictures.stop()
    until(lambda: not children(os.getpid(), CHILD), what="the end of the children")


def test_a_bomb_is_refused(pictures: Pictures, tmp_path: Path) -> None:
    huge = dx(np.zeros((2, 2), dtype=np.uint16), 12)
    huge.Rows = huge.Columns = 60_000
    with pytest.raises(InputError, match="absurdly large"):
        pictures.get(*put(tmp_path, content(huge)), 0)


def test_room_is_bounded_and_what_is_deleted_by_age_goes(tmp_path: Path) -> None:
    films = [content(dx(np.roll(phantom_pixels(), n), 12)) for n in range(6)]
    pictures = Pictures(tmp_path, memory_mib=1024, seconds=20, cache_mib=1)
    pictures.start()
    try:
        for film in films:
            pictures.get(*put(tmp_path, film), 0)
        kept = list(tmp_path.glob("pictures/*/*.grey"))
        until(
            lambda: sum(path.stat().st_size for path in kept if path.exists()) <= 2**20,
            what="room",
        )
    finally:
        pictures.stop()
    for path in tmp_path.glob("objects/*/*.dcm"):
        path.unlink()
    again = Pictures(tmp_path, memory_mib=1024, seconds=20)
    again.start()
    try:
        until(lambda: not list(tmp_path.glob("pictures/*/*.grey")), what="nothing left")
    finally:
        again.stop()


def test_sides() -> None:
    assert side_for(None) == 0
    assert [side_for(n) for n in (1, 256, 1000, 1024, 65_535)] == [256, 256, 512, 1024, 4096]
    assert list(SIDES) == sorted(SIDES)
