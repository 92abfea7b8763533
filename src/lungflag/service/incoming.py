"""A DIMSE message's data set on its way in: bounded, and a DICOM file from its first byte."""

from __future__ import annotations

from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage

from lungflag.outputs.identity import IMPLEMENTATION_UID
from lungflag.service.failure import NO_ROOM
from lungflag.service.room import LARGEST_OBJECT

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import P_DATA

    from lungflag.service.room import Room

IMPLEMENTATION_VERSION_NAME = "LUNGFLAG"
"""Of lungflag's associations (PS3.7, D.3.3.2)."""

_LARGEST_COMMAND = 2**16


class Incoming(BytesIO):
    """The data set of one message. That of a C-STORE follows a preamble and file meta information.

    So nothing is copied or encoded anew: `getvalue` is the DICOM file, as it goes to the disk.

    Attributes
    ----------
    begun : float
        When its message began, by `time.monotonic`.
    refusal : str
        A code of `lungflag.service.intake.CODES`, or `NO_ROOM`, where the data set was dropped.
    """

    def __init__(self, message: DIMSEMessage, association: Association, room: Room) -> None:
        super().__init__()
        self.begun = monotonic()
        self.refusal = ""
        self._message: DIMSEMessage | None = message
        self._association: Association | None = association
        self._room = room
        self._held = 0

    def __del__(self) -> None:  # of a message that has no use for a data set
        self.release()

    def write(self, data: ReadableBuffer, /) -> int:
        """Take more of the data set, or drop it where there is no room."""
        size = len(memoryview(data))
        if not self.refusal and not self.tell():
            self._keep(self._head())
        if not self.refusal:
            self._keep(data)
        return size

    def release(self) -> None:
        """Forget the data set, and let its room go."""
        self._message = self._association = None
        self.seek(0)
        self.truncate()
        held, self._held = self._held, 0
        self._room.give(held)

    def _keep(self, data: ReadableBuffer) -> None:
        size = len(memoryview(data))
        if self._held + size > LARGEST_OBJECT:
            self._drop("too-large")
        elif not self._room.take(size):
            self._drop(NO_ROOM)
        else:
            self._held += size
            super().write(data)

    def _drop(self, refusal: str) -> None:
        self.refusal = refusal
        self.release()

    def _head(self) -> bytes:
        """Return what comes before the data set in a file, where this is a C-STORE request."""
        message, association = self._message, self._association
        if not isinstance(message, C_STORE_RQ) or association is None:
            return b""
        context = association._accepted_cx.get(message.context_id or 0)
        if context is None:
            return b""  # pynetdicom aborts the association as soon as the message is complete
        command = message.command_set
        return file_head(
            str(command.get("AffectedSOPClassUID") or ""),
            str(command.get("AffectedSOPInstanceUID") or ""),
            str(context.transfer_syntax[0]),
        )


class Messages(DIMSEServiceProvider):
    """Puts messages together from what comes in, within limits."""

    def __init__(self, association: Association, room: Room) -> None:
        super().__init__(association)
        self._room = room

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the next fragments of a message."""
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.encoded_command_set = _Command()
            self.message.data_set = Incoming(self.message, self.assoc, self._room)
        super().receive_primitive(primitive)

    def release(self) -> None:
        """Forget the messages that nobody will answer any more."""
        unfinished, self.message = self.message, None
        if unfinished is not None and isinstance(unfinished.data_set, Incoming):
            unfinished.data_set.release()
        while not self.msg_queue.empty():
            _, waiting = self.msg_queue.get()
            if waiting is not None and isinstance(waiting._dataset_variant, Incoming):
                waiting._dataset_variant.release()


class _Command(BytesIO):
    """A message's command set, which is small."""

    def write(self, data: ReadableBuffer, /) -> int:
        if self.tell() + len(memoryview(data)) > _LARGEST_COMMAND:
            raise ValueError(f"a command set of more than {_LARGEST_COMMAND} bytes")
        return super().write(data)


def file_head(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Return preamble, prefix and file meta information of a DICOM file (PS3.10, 7.1).

    The same for the same object whoever sends it, so that a repeat is known by its content.
    """
    elements = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
            _uid_element(0x0002, sop_class),
            _uid_element(0x0003, sop_instance),
            _uid_element(0x0010, transfer_syntax),
            _uid_element(0x0012, IMPLEMENTATION_UID),
        )
    )
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(elements).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + length + elements


def _uid_element(element: int, value: str) -> bytes:
    """Return an element of group 0002 in explicit VR little endian."""
    content = value.encode("ascii", "replace")[:64]
    content += b"\0" * (len(content) % 2)
    head = b"\x02\x00" + element.to_bytes(2, "little") + b"UI"
    return head + len(content).to_bytes(2, "little") + content
