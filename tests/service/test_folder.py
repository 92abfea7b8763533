"""The watch folder: whole files are taken in once, others wait, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import replace
from itertools import pairwise
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread, uid

from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from lungflag.service import folder as folders
from lungflag.service.folder import WatchFolder
from tests.radiograph.objects import content, dx
from tests.service.doors import Door, open_door
from tests.service.films import phantom_pixels, write_film
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.settings import Settings


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


@pytest.fixture
def watch(inbox: Path, door: Door) -> WatchFolder:
    """A watch folder that takes files at its second look, if they have not changed."""
    return WatchFolder(inbox, door.intake, settled=0)


def film() -> bytes:
    return content(dx(phantom_pixels(size=64), 12))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_syntax_is_taken_in_and_moved(
    watch: WatchFolder, inbox: Path, door: Door, tmp_path: Path
) -> None:
    made = [write_film(tmp_path, one, phantom_pixels(size=64)) for one in TRANSFER_SYNTAXES]
    uids = [dcmread(path).SOPInstanceUID for path in made]
    for path in made:
        path.rename(inbox / path.name)
    watch.look()
    assert files(inbox) == {f"done/{path.name}" for path in made}
    assert all(door.knows(one) for one in uids)
    row = door.instance(uids[0])
    assert (row.via, row.peer) == ("folder", str(inbox))


def test_what_cannot_be_taken_in_fails_with_a_reason(watch: WatchFolder, inbox: Path) -> None:
    (inbox / "study").mkdir()
    (inbox / "study" / "letter.txt").write_text("Dear colleague, " * 20)
    (inbox / "ct.dcm").write_bytes(
        content(dx(phantom_pixels(size=64), 12, SOPClassUID=uid.CTImageStorage))
    )
    watch.look()
    assert files(inbox) == {
        "failed/study/letter.txt",
        "failed/study/letter.txt.reason.txt",
        "failed/ct.dcm",
        "failed/ct.dcm.reason.txt",
    }
    reason = (inbox / "failed/study/letter.txt.reason.txt").read_text()
    assert reason == "is no DICOM file\n"
    assert "CT Image Storage" in (inbox / "failed/ct.dcm.reason.txt").read_text()


def test_subfolders_and_names_are_kept_apart(watch: WatchFolder, inbox: Path, door: Door) -> None:
    for _ in range(2):
        for study in ("a", "b"):
            (inbox / study).mkdir(exist_ok=True)
            (inbox / study / "1.dcm").write_bytes(film())
        watch.look()
    assert files(inbox) == {f"done/{study}/1{nth}.dcm" for study in "ab" for nth in ("", "-2")}
    assert door.jobs() == 4


class TestWhole:
    """A file is left alone until it is whole."""

    def test_a_file_that_is_being_written(
        self, watch: WatchFolder, inbox: Path, door: Door
    ) -> None:
        data = film()
        with (inbox / "film.dcm").open("wb") as writer:
            for start in range(0, len(data), len(data) // 4):
                writer.write(data[start : start + len(data) // 4])
                writer.flush()
                watch.look()
                watch.look()
                assert files(inbox) == {"film.dcm"}
        watch.look()
        assert files(inbox) == {"done/film.dcm"}
        assert door.jobs() == 1

    @pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda one: one.keyword)
    def test_a_file_that_is_appended_to_now_and_then(
        self, watch: WatchFolder, inbox: Path, door: Door, tmp_path: Path, syntax: str
    ) -> None:
        """By something that closes it in between, such as a copy over the network."""
        data = write_film(tmp_path, syntax, phantom_pixels(size=64)).read_bytes()
        cuts = [0, 100, 300, len(data) // 2, len(data) - 10, len(data)]
        for start, stop in pairwise(cuts):
            watch.look()
            watch.look()
            assert door.jobs() == 0
            with (inbox / "film.dcm").open("ab") as writer:
                writer.write(data[start:stop])
        watch.look()
        assert files(inbox) == {"done/film.dcm"}
        assert door.jobs() == 1

    def test_a_slow_copy(self, inbox: Path, door: Door) -> None:
        """The thread watches while another one writes a real size slowly."""
        data = content(dx(phantom_pixels(size=512), 12))
        watch = WatchFolder(inbox, door.intake, settled=0.05)
        watch.start()
        try:
            pause = Event()
            with (inbox / "film.dcm").open("wb", buffering=0) as writer:
                for start in range(0, len(data), len(data) // 10):
                    writer.write(data[start : start + len(data) // 10])
                    pause.wait(0.3)
                    assert files(inbox) == {"film.dcm"}
            until(lambda: files(inbox) == {"done/film.dcm"})
        finally:
            watch.stop()
        assert (inbox / "done/film.dcm").read_bytes() == data
        assert door.stored(dcmread(inbox / "done/film.dcm").SOPInstanceUID).read_bytes() == data

    def test_it_has_to_be_still_for_a_while(self, inbox: Path, door: Door) -> None:
        watch = WatchFolder(inbox, door.intake, settled=3600)
        (inbox / "film.dcm").write_bytes(film())
        watch.look()
        watch.look()
        assert files(inbox) == {"film.dcm"}

    def test_names_of_files_in_the_making(self, watch: WatchFolder, inbox: Path) -> None:
        for name in (".film.dcm", "film.dcm.part", "film.TMP"):
            (inbox / name).write_bytes(film())
            watch.look()
            assert files(inbox) == {name}
            (inbox / name).rename(inbox / "film.dcm")
            watch.look()
            assert files(inbox) == {"done/film.dcm"}
            (inbox / "done/film.dcm").unlink()

    def test_a_file_that_stays_cut_short_is_judged_in_the_end(
        self, inbox: Path, door: Door
    ) -> None:
        watch = WatchFolder(inbox, door.intake, settled=0, cut_short=0)
        (inbox / "film.dcm").write_bytes(film()[:-100])
        watch.look()
        assert files(inbox) == {"done/film.dcm"}
        assert door.jobs() == 1

    def test_what_is_no_regular_file(self, watch: WatchFolder, inbox: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(film())
        (inbox / "link.dcm").symlink_to(tmp_path / "secret")
        (inbox / "folder").symlink_to(tmp_path)
        os.mkfifo(inbox / "pipe.dcm")
        watch.look()
        assert not files(inbox / "done")
        assert not files(inbox / "failed")


class TestNothingIsLost:
    def test_after_a_crash_between_taking_in_and_moving(
        self, watch: WatchFolder, inbox: Path, door: Door
    ) -> None:
        (inbox / "film.dcm").write_bytes(film())
        door.intake.accept((inbox / "film.dcm").read_bytes(), via="folder", peer="before")
        watch.look()
        assert files(inbox) == {"done/film.dcm"}
        assert door.jobs() == 1

    def test_a_full_disk(self, settings: Settings, inbox: Path) -> None:
        with open_door(replace(settings, keep_free_mib=2**30)) as door:
            watch = WatchFolder(inbox, door.intake, settled=0)
            (inbox / "film.dcm").write_bytes(film())
            assert watch.look() == folders.RETRY_SECONDS
            assert files(inbox) == {"film.dcm"}
        with open_door(settings) as door:
            WatchFolder(inbox, door.intake, settled=0).look()
            assert files(inbox) == {"done/film.dcm"}

    def test_a_ledger_that_is_away(self, watch: WatchFolder, inbox: Path, door: Door) -> None:
        (inbox / "film.dcm").write_bytes(film())
        with sqlite3.connect(door.settings.folder / "ledger.db") as other:
            other.execute("ALTER TABLE jobs RENAME TO elsewhere")
        assert watch.look() == folders.RETRY_SECONDS
        assert files(inbox) == {"film.dcm"}
        with sqlite3.connect(door.settings.folder / "ledger.db") as other:
            other.execute("ALTER TABLE elsewhere RENAME TO jobs")
        assert watch.look() == folders.LOOK_SECONDS
        assert files(inbox) == {"done/film.dcm"}
        assert door.jobs() == 1

    def test_the_folder_may_go_away(self, inbox: Path, door: Door) -> None:
        watch = WatchFolder(inbox, door.intake, settled=0)
        watch.start()
        try:
            inbox.rename(inbox.with_name("away"))
            (inbox.with_name("away") / "film.dcm").write_bytes(film())
            inbox.with_name("away").rename(inbox)
            until(lambda: files(inbox) == {"done/film.dcm"})
        finally:
            watch.stop()


def test_what_was_taken_in_is_deleted_after_its_time(
    inbox: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = WatchFolder(inbox, door.intake, settled=0, keep_days=1)
    (inbox / "film.dcm").write_bytes(film())
    watch.look()
    watch.expire()
    assert files(inbox) == {"done/film.dcm"}
    monkeypatch.setattr(folders, "_DAY", 0.0)  # for nobody can change a file's ctime
    WatchFolder(inbox, door.intake).expire()  # keeps for ever
    assert files(inbox) == {"done/film.dcm"}
    watch.expire()
    assert not files(inbox)


def test_stop_ends_the_thread(watch: WatchFolder) -> None:
    watch.start()
    stopping = Thread(target=watch.stop)
    started = time.monotonic()
    stopping.start()
    stopping.join(10)
    assert not stopping.is_alive()
    assert time.monotonic() - started < 5
