"""The node, asked by dcmtk: every syntax, every class, and what it must refuse."""

from __future__ import annotations

import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread, uid
from pynetdicom import AE
from pynetdicom.dsutils import encode

from lungflag.radiograph import read_radiograph
from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from lungflag.service.intake import SOP_CLASSES
from lungflag.service.settings import load_settings
from tests.radiograph.objects import content, dx
from tests.service.dcmtk import call
from tests.service.doors import ROOM, Door, open_door, running_node
from tests.service.films import phantom_pixels, real_pixels, write_film
from tests.service.waiting import until
from tests.service.wire import send_octets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pynetdicom.association import Association

    from lungflag.service.node import Node
    from lungflag.service.settings import Settings

UNCOMPRESSED = {
    uid.ExplicitVRLittleEndian: "-xe",
    uid.ImplicitVRLittleEndian: "-xi",
    uid.ExplicitVRBigEndian: "-xb",
    uid.DeflatedExplicitVRLittleEndian: "-xd",
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door for the tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("door")
    flags = {"folder": folder, "model": "phantom", "keep_free_mib": 0}
    with open_door(load_settings(None, {}, flags)) as opened:
        yield opened
        assert opened.room.free == ROOM, "an object still holds room"


@pytest.fixture(scope="module")
def node(door: Door) -> Iterator[Node]:
    with running_node(door) as running:
        yield running


@pytest.fixture
def own_door(settings: Settings) -> Iterator[Door]:
    """A door for the tests that count what came in, or break something."""
    with open_door(settings) as opened:
        yield opened
        assert opened.room.free == ROOM, "an object still holds room"


@pytest.fixture
def own_node(own_door: Door) -> Iterator[Node]:
    with running_node(own_door) as running:
        yield running


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels())


def associate(node: Node, *, title: str = "MODALITY", sender: str = "127.0.0.1") -> Association:
    """Open an association by pynetdicom, from an address of this machine."""
    entity = AE(title)
    for sop_class in SOP_CLASSES:
        entity.add_requested_context(sop_class, uid.ExplicitVRLittleEndian)
    return entity.associate("127.0.0.1", node.port, ae_title="LUNGFLAG", bind_address=(sender, 0))


def is_hung_up(node: Node, *, sender: str) -> bool:
    """Connect from an address of this machine, and return whether the node closes at once."""
    with socket.create_connection(("127.0.0.1", node.port), 10, (sender, 0)) as connection:
        return connection.recv(1) == b""


def send(node: Node, film: Path) -> None:
    """Send a film as it is, in its own syntax, by dcmtk."""
    # dcmsend proposes any uncompressed syntax for another one, and converts.
    option = UNCOMPRESSED.get(dcmread(film).file_meta.TransferSyntaxUID)
    program = ("storescu", option) if option else ("dcmsend", "-dn")
    assert call(program[0], node.port, film, options=[program[1]]) == ""


def check_stored(door: Door, sent: Path, *, via: str = "dimse") -> None:
    """The object is in the ledger, its file is what was sent, and its pixels can be read."""
    original = dcmread(sent)
    assert door.knows(original.SOPInstanceUID)
    row, file = door.instance(original.SOPInstanceUID), door.stored(original.SOPInstanceUID)
    stored = dcmread(file)
    assert stored == original
    assert stored.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert row.transfer_syntax_uid == original.file_meta.TransferSyntaxUID
    assert row.size == file.stat().st_size
    assert row.via == via
    assert (read_radiograph(file).pixels == read_radiograph(sent).pixels).all()


def test_echo(node: Node) -> None:
    assert call("echoscu", node.port) == ""


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda one: one.keyword)
def test_every_syntax_of_the_reader_is_taken_and_kept(
    door: Door, node: Node, tmp_path: Path, syntax: uid.UID
) -> None:
    film = write_film(tmp_path, syntax, phantom_pixels())
    send(node, film)
    check_stored(door, film)
    assert door.instance(dcmread(film).SOPInstanceUID).peer == "MODALITY@127.0.0.1"


@pytest.mark.parametrize(
    "option", ["-xe", "-xb", "-xi", "-xs", "-xd", "-xt", "-xv", "-xr", "-R", "+C"]
)
def test_storescu_finds_a_syntax_whatever_it_proposes(
    door: Door, node: Node, film: Path, option: str
) -> None:
    assert call("storescu", node.port, film, options=[option]) == ""
    assert door.knows(dcmread(film).SOPInstanceUID)


@pytest.mark.slow
@pytest.mark.shared
def test_real_radiographs_in_every_syntax(
    own_door: Door, own_node: Node, tmp_path: Path, shared: Path
) -> None:
    films = [
        write_film(tmp_path, syntax, real_pixels(shared, 10 * number))
        for number, syntax in enumerate(TRANSFER_SYNTAXES)
    ]
    for film in films:
        send(own_node, film)
        check_stored(own_door, film)
    assert own_door.jobs() == len(films)


@pytest.mark.parametrize("sop_class", SOP_CLASSES, ids=lambda one: uid.UID(one).keyword)
def test_every_sop_class_is_taken(
    door: Door, node: Node, tmp_path: Path, sop_class: uid.UID
) -> None:
    ds = dx(phantom_pixels(), 12, SOPClassUID=sop_class)
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    path = tmp_path / "film.dcm"
    path.write_bytes(content(ds))
    assert call("dcmsend", node.port, path) == ""
    assert door.instance(ds.SOPInstanceUID).sop_class_uid == sop_class


def test_other_sop_classes_are_not_negotiated(node: Node, tmp_path: Path) -> None:
    ds = dx(phantom_pixels(), 12, SOPClassUID=uid.CTImageStorage)
    ds.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage
    path = tmp_path / "ct.dcm"
    path.write_bytes(content(ds))
    assert "No valid Presentation Context" in call("storescu", node.port, path)


def test_the_same_object_again_is_a_success_and_kept_once(
    own_door: Door, own_node: Node, film: Path
) -> None:
    assert call("storescu", own_node.port, film, film) == ""
    assert call("storescu", own_node.port, film, calling="OTHER") == ""
    assert own_door.jobs() == 1
    assert own_door.counted("lungflag_repeated_total", via="dimse", differs="no") == 2


@pytest.mark.parametrize(("priority", "name"), [(0, "MEDIUM"), (1, "HIGH"), (2, "LOW")])
def test_the_priority_of_the_message_is_kept(
    own_door: Door, own_node: Node, film: Path, priority: int, name: str
) -> None:
    association = associate(own_node)
    assert association.send_c_store(film, priority=priority).Status == 0x0000
    association.release()
    package = own_door.package
    (job,) = own_door.ledger.lease_jobs("test", package.name, package.version, 1, 60)
    assert job.priority == name


class TestRefusals:
    """Who is not let in stands in the audit trail."""

    def test_a_wrong_called_title(self, own_door: Door, own_node: Node) -> None:
        assert "Called AE Title Not Recognized" in call("echoscu", own_node.port, called="OTHER")
        until(own_door.alerts)
        assert own_door.alerts() == [("MODALITY@127.0.0.1", "another AE title called")]

    def test_a_title_that_is_not_allowed(self, own_door: Door) -> None:
        with running_node(own_door, allow=["XRAY1@127.0.0.1"]) as node:
            assert call("echoscu", node.port, calling="XRAY1") == ""
            said = call("echoscu", node.port, calling="XRAY2")
            assert "Calling AE Title Not Recognized" in said
            assert call("echoscu", node.port, calling="XRAY1") == ""
            until(own_door.alerts)
            assert own_door.alerts() == [("XRAY2@127.0.0.1", "AE title not allowed")]

    def test_an_address_that_is_not_allowed(self, own_door: Door) -> None:
        with running_node(own_door, allow=["XRAY1@127.0.0.2", "XRAY2@127.0.0.1"]) as node:
            allowed = associate(node, title="XRAY1", sender="127.0.0.2")
            assert allowed.is_established
            allowed.release()
            assert associate(node, title="XRAY1", sender="127.0.0.1").is_rejected
            assert is_hung_up(node, sender="127.0.0.3")
            until(lambda: len(own_door.alerts()) == 2)
            assert set(own_door.alerts()) == {
                ("XRAY1@127.0.0.1", "AE title not allowed"),
                ("127.0.0.3", "address not allowed"),
            }

    def test_an_audit_trail_that_is_away_lets_nobody_in(self, own_door: Door) -> None:
        with sqlite3.connect(own_door.settings.folder / "ledger.db") as other:
            other.execute("DROP TABLE audit")
        with running_node(own_door, allow=["XRAY1@127.0.0.1"]) as node:
            assert "Not Recognized" in call("echoscu", node.port, calling="XRAY2")
            assert is_hung_up(node, sender="127.0.0.3")
            assert call("echoscu", node.port, calling="XRAY1") == ""

    def test_a_network(self, door: Door) -> None:
        with running_node(door, allow=["XRAY1@127.0.1.0/24"]) as node:
            allowed = associate(node, title="XRAY1", sender="127.0.1.77")
            assert allowed.is_established
            allowed.release()
            assert is_hung_up(node, sender="127.0.2.77")

    def test_more_associations_than_the_maximum(self, door: Door) -> None:
        with running_node(door, associations=2) as node:
            held = [associate(node), associate(node)]
            assert "Local Limit Exceeded" in call("echoscu", node.port)
            held[0].release()
            until(lambda: len(node.associations) < 2)
            assert call("echoscu", node.port) == ""
            held[1].release()


class TestFailures:
    """Whatever is not safe is not acknowledged."""

    def status(self, node: Node, film: Path) -> int:
        association = associate(node)
        answer = association.send_c_store(film)
        association.release()
        return int(answer.Status)

    def test_a_full_disk(self, settings: Settings, film: Path) -> None:
        with (
            open_door(replace(settings, keep_free_mib=2**30)) as door,
            running_node(door) as node,
        ):
            assert self.status(node, film) == 0xA700
            assert not list(door.settings.folder.glob("objects/**/*.dcm"))
            assert door.jobs() == 0

    def test_a_ledger_that_is_away(self, own_door: Door, own_node: Node, film: Path) -> None:
        with sqlite3.connect(own_door.settings.folder / "ledger.db") as other:
            other.execute("DROP TABLE jobs")
        assert self.status(own_node, film) == 0xA701

    def test_no_room_for_what_comes_in(self, settings: Settings, film: Path) -> None:
        with open_door(settings, room=film.stat().st_size // 2) as door, running_node(door) as node:
            assert self.status(node, film) == 0xA700
            assert door.counted("lungflag_refused_total", via="dimse", code="no-room") == 1
            assert door.room.free == film.stat().st_size // 2

    def test_an_object_without_identifiers(self, node: Node) -> None:
        ds = dx(phantom_pixels(), 12)
        del ds.StudyInstanceUID
        association = associate(node)
        answer = association.send_c_store(ds)
        association.release()
        assert answer.Status == 0xA900
        assert answer.ErrorComment == "has no StudyInstanceUID, or none that can be one"

    @pytest.mark.parametrize(
        ("other", "keyword"),
        [("1.2.3", "SOPInstanceUID"), (uid.SecondaryCaptureImageStorage, "SOPClassUID")],
    )
    def test_an_object_that_is_another_than_announced(
        self, own_door: Door, own_node: Node, other: str, keyword: str
    ) -> None:
        ds = dx(phantom_pixels(), 12)
        announced = {"SOPClassUID": ds.SOPClassUID, "SOPInstanceUID": ds.SOPInstanceUID}
        announced[keyword] = other
        association = associate(own_node)
        status = send_octets(
            association,
            encode(ds, False, True) or b"",
            context=announced["SOPClassUID"],
            sop_instance=announced["SOPInstanceUID"],
        )
        association.release()
        assert status == 0xA900
        assert own_door.jobs() == 0


def test_a_c_store_that_runs_is_finished_before_the_node_stops(own_door: Door, film: Path) -> None:
    with (
        ThreadPoolExecutor() as pool,
        running_node(own_door) as own_node,
        sqlite3.connect(own_door.settings.folder / "ledger.db", isolation_level=None) as other,
    ):
        idle, late, busy = associate(own_node), associate(own_node), associate(own_node)
        other.execute("BEGIN IMMEDIATE")
        answer = pool.submit(busy.send_c_store, film)
        until(lambda: list(own_door.settings.folder.glob("objects/**/*.dcm")))
        stopped = pool.submit(own_node.stop, 20)
        until(lambda: not own_node.alive)
        assert late.send_c_store(film).Status == 0xA700
        until(lambda: idle.is_aborted, what="an idle association is aborted")
        assert not answer.done()
        other.execute("COMMIT")
        assert answer.result(timeout=20).Status == 0x0000
        late.release()
        busy.release()
        stopped.result(timeout=20)
        assert own_door.knows(dcmread(film).SOPInstanceUID)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own_node.port))
