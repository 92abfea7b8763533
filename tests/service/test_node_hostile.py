"""Peers that break off, stall, lie and babble: the node serves the next one as if nothing was."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pynetdicom import AE, evt
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from lungflag.service.settings import load_settings
from tests.radiograph.objects import dx
from tests.service.dcmtk import call
from tests.service.doors import ROOM, Door, open_door, running_node
from tests.service.films import phantom_pixels
from tests.service.waiting import until
from tests.service.wire import send_octets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.association import Association

    from lungflag.service.node import Node

SECONDS = 3.0
"""How long the node waits here for a silent peer."""

DX = uid.DigitalXRayImageStorageForPresentation


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    flags = {"folder": tmp_path_factory.mktemp("door"), "model": "phantom", "keep_free_mib": 0}
    with open_door(load_settings(None, {}, flags)) as opened:
        yield opened


@pytest.fixture(scope="module")
def node(door: Door) -> Iterator[Node]:
    with running_node(door, seconds=SECONDS, associations=50) as running:
        yield running


@pytest.fixture(scope="module")
def conversation(node: Node) -> list[bytes]:
    """Every PDU of a peer that stores one object and releases."""
    sent: list[bytes] = []
    entity = AE("RECORDER")
    entity.add_requested_context(DX, uid.ExplicitVRLittleEndian)
    entity.add_requested_context(Verification)
    association = entity.associate(
        "127.0.0.1",
        node.port,
        ae_title="LUNGFLAG",
        max_pdu=16384,
        evt_handlers=[(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))],
    )
    assert association.send_c_store(dx(phantom_pixels(size=64), 12)).Status == 0x0000
    assert association.send_c_echo().Status == 0x0000
    association.release()
    assert len(sent) >= 5
    return sent


@contextmanager
def nothing_left(node: Node, door: Door) -> Iterator[None]:
    """Afterwards the node has the threads, the files and the room that it had before."""

    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    threads, before = set(threading.enumerate()), files()
    yield
    until(lambda: not node.associations, what="associations end")
    until(lambda: set(threading.enumerate()) <= threads, what="threads end")
    until(lambda: files() <= before, what="files are closed")
    assert door.room.free == ROOM
    assert call("echoscu", node.port) == ""


def associate(node: Node) -> Association:
    entity = AE("HOSTILE")
    entity.add_requested_context(DX, uid.ExplicitVRLittleEndian)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.port, ae_title="LUNGFLAG")
    assert association.is_established
    return association


def connect(node: Node) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), 30)


def hear(connection: socket.socket) -> bytes:
    """Read until the node hangs up."""
    heard = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            heard += piece
    return heard


def hang_up(connection: socket.socket, *, rudely: bool) -> None:
    if rudely:  # RST in place of FIN
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


A_ABORT = b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"


@pytest.mark.slow
def test_200_aborted_associations_leave_nothing_behind(
    node: Node, door: Door, conversation: list[bytes]
) -> None:
    whole = b"".join(conversation[:-1])
    with nothing_left(node, door):
        for number in range(200):
            connection = connect(node)
            cut = number * len(whole) // 199
            connection.sendall(whole[:cut])
            if number % 3 == 0:
                connection.sendall(A_ABORT)
            hang_up(connection, rudely=number % 3 == 1)


def test_a_peer_that_says_nothing_is_hung_up_on(node: Node, door: Door) -> None:
    with nothing_left(node, door):
        connections = [connect(node) for _ in range(5)]
        for connection in connections:
            assert hear(connection) == b""
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_peer_that_stalls_is_hung_up_on(
    node: Node, door: Door, conversation: list[bytes], share: float
) -> None:
    """In the middle of the request, and of the object."""
    for whole in (conversation[0], b"".join(conversation[:3])):
        with nothing_left(node, door), connect(node) as connection:
            connection.sendall(whole[: int(share * len(whole))])
            hear(connection)


def test_drops_that_come_too_slowly_are_not_waited_for(
    node: Node, door: Door, conversation: list[bytes]
) -> None:
    """Each octet in time, the PDU never."""
    pause = threading.Event()

    def drip(connection: socket.socket) -> None:
        for octet in conversation[0]:
            connection.sendall(bytes([octet]))
            pause.wait(SECONDS / 20)

    with (
        nothing_left(node, door),
        connect(node) as connection,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        drip(connection)


@pytest.mark.parametrize("length", [2**20 + 1, 2**32 - 1])
def test_a_pdu_of_an_absurd_size_is_not_read(node: Node, door: Door, length: int) -> None:
    with nothing_left(node, door), connect(node) as connection:
        connection.sendall(b"\x01\x00" + struct.pack(">L", length) + bytes(100))
        hear(connection)


def test_a_command_without_end_is_not_kept(
    node: Node, door: Door, conversation: list[bytes]
) -> None:
    fragment = bytes(60_000)
    value = struct.pack(">LBB", len(fragment) + 2, 1, 0x01) + fragment  # command, not the last
    pdu = b"\x04\x00" + struct.pack(">L", len(value)) + value
    with nothing_left(node, door), connect(node) as connection:
        connection.sendall(conversation[0])
        assert connection.recv(1) == b"\x02"  # accepted
        with suppress(OSError):
            for _ in range(100):
                connection.sendall(pdu)
        hear(connection)


def test_a_pdu_out_of_its_order_ends_the_association(
    node: Node, door: Door, conversation: list[bytes]
) -> None:
    """Data before the request, or two requests, or data before the answer."""
    request, command, *_ = conversation
    for wrong in ([command], [request, request], [request, command, request], [request] * 5):
        with nothing_left(node, door), connect(node) as connection:
            connection.sendall(b"".join(wrong))
            hear(connection)


def test_messages_that_do_not_fit_their_context_end_the_association(node: Node, door: Door) -> None:
    data = encode(dx(phantom_pixels(size=64), 12), False, True) or b""
    for claimed in (Verification, uid.CTImageStorage, "1.2.3"):
        with nothing_left(node, door):
            association = associate(node)
            status = send_octets(
                association, data, context=DX, sop_class=claimed, sop_instance="1.2"
            )
            assert status != 0x0000
            association.abort()
            del association


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_babble_does_no_harm(node: Node, conversation: list[bytes], data: st.DataObject) -> None:
    """A conversation with octets changed, lost, repeated and put in."""
    whole = bytearray(b"".join(conversation))
    head = sum(len(pdu) for pdu in conversation[:2]) + 400  # where the protocol's own octets are
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(head, len(whole) - 1)))
        size = data.draw(st.integers(0, 8))
        whole[place : place + size] = data.draw(st.binary(max_size=8))
    with connect(node) as connection, suppress(OSError):
        connection.sendall(whole)
        connection.shutdown(socket.SHUT_WR)
        hear(connection)


def test_after_all_that_nothing_is_left(node: Node, door: Door) -> None:
    until(lambda: not node.associations)
    with nothing_left(node, door):
        pass
