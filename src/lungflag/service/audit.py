"""The audit trail: who sent and received what, as audit messages of DICOM (PS3.15, A.5).

Every message stands in the ledger's table ``audit``, and in a file if the settings name one.
"""

from __future__ import annotations

import logging
import os
import socket
from base64 import b64encode
from collections import deque
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from lungflag.errors import ServiceError
from lungflag.service.audit_message import (
    ERASED,
    MINOR,
    NODE,
    PATIENT,
    SOURCE_TYPE,
    STUDY,
    Event,
    Participant,
    about,
    active,
    clean,
    identification,
    is_ip,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from lungflag.service.ledger import Delivery, Instance, Ledger
    from lungflag.service.settings import Settings
    from lungflag.service.target import Target

ALERTS_A_MINUTE = 60
"""More security alerts are not kept: whoever knocks all day shall not fill the disk."""

_LOG = logging.getLogger(__name__)


class Audit:
    """Writes audit messages about one part of the service. Safe to share between threads.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where messages are kept.
    part : str
        The part's name, such as ``node``.
    """

    def __init__(self, settings: Settings, ledger: Ledger, part: str) -> None:
        self._ledger = ledger
        self._file = settings.audit_file
        self._title = settings.ae_title
        self._source = f"{settings.ae_title}@{socket.gethostname()}"
        self._name = f"lungflag {part}"
        self._alerts = _Limit(ALERTS_A_MINUTE)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Note that the part starts, and that it stops in good order."""
        self._activity("110120")
        try:
            yield
        finally:
            self._activity("110121")

    def refused(self, peer: str, reason: str) -> None:
        """Note that a peer was not let in.

        Parameters
        ----------
        peer : str
            ``AET@address``, or an address.
        reason : str
            In one line.
        """
        if not self._alerts.allows():
            return
        event = Event("110113", "E", MINOR, kind="110126", description=reason)
        node = about("110182", peer.rpartition("@")[2], peer, NODE)
        detail = ET.Element(
            "ParticipantObjectDetail",
            {"type": "Alert Description", "value": b64encode(clean(reason).encode()).decode()},
        )
        node.insert(2, detail)
        self._keep(self._message(event, [self._us(), _peer(peer)], [node]))

    def received(self, instance: Instance) -> str:
        """Return the message that an instance came in and was kept, to be committed with it."""
        event = Event("110104", "C")
        return self._transfer(event, instance, _peer(instance.peer, "110153", requestor=True))

    def differing(self, instance: Instance) -> None:
        """Note that an instance came again with other content, and that the first was kept."""
        description = "its content differs from that received before, which was kept"
        event = Event("110104", "R", MINOR, description=description)
        self._keep(self._transfer(event, instance, _peer(instance.peer, "110153", requestor=True)))

    def sent(self, delivery: Delivery, target: Target, instance: Instance) -> str:
        """Return the message that a result has arrived, to be committed with that fact."""
        them = Participant(
            user=target.address,
            role="110152",
            title=target.ae_title if target.kind == "dicom" else "",
            address=target.host if target.kind == "dicom" else "",
            name=target.name,
        )
        us = self._us("110153", requestor=True)
        study = _study(instance, [(_RESULT_CLASSES.get(delivery.kind, ""), delivery.uid)])
        return self._message(Event("110104", "R"), [us, them], [study, _patient(instance)])

    def deleted(self, instance: Instance) -> str:
        """Return the message that an instance's pixels were deleted, to be committed with that."""
        event = Event("110103", "D", description="pixels deleted by age; results stay")
        study = _study(instance, [(instance.sop_class_uid, instance.sop_instance_uid)])
        study.set("ParticipantObjectDataLifeCycle", ERASED)
        us = self._us(requestor=True)
        return self._message(event, [us], [study, _patient(instance)])

    def copy(self, message: str) -> None:
        """Append a message that was committed with its event to the file, if there is one."""
        if self._file is not None:
            _append(self._file, message)

    def _keep(self, message: str) -> None:
        self._ledger.audit(message)
        self.copy(message)

    def _activity(self, kind: str) -> None:
        event = Event("110100", "E", kind=kind)
        try:
            self._keep(self._message(event, [self._us("110150")], []))
        except ServiceError as error:  # the part's own work will tell
            _LOG.error("the ledger is away", extra={"reason": str(error)})

    def _transfer(self, event: Event, instance: Instance, sender: Participant) -> str:
        study = _study(instance, [(instance.sop_class_uid, instance.sop_instance_uid)])
        return self._message(event, [sender, self._us("110152")], [study, _patient(instance)])

    def _us(self, role: str = "", *, requestor: bool = False) -> Participant:
        return Participant(
            user=str(os.getpid()),
            role=role,
            title=self._title,
            address=socket.gethostname(),
            name=self._name,
            requestor=requestor,
        )

    def _message(
        self, event: Event, participants: Iterable[Participant], objects: Iterable[Element]
    ) -> str:
        """Return an audit message in one line."""
        root = ET.Element("AuditMessage")
        root.append(identification(event))
        root.extend(map(active, participants))
        source = ET.SubElement(root, "AuditSourceIdentification", AuditSourceID=self._source)
        ET.SubElement(source, "AuditSourceTypeCode", {"csd-code": SOURCE_TYPE})
        root.extend(objects)
        return ET.tostring(root, encoding="unicode")


class _Limit:
    """Allows so many events a minute."""

    def __init__(self, most: int) -> None:
        self._times: deque[float] = deque(maxlen=most)
        self._lock = Lock()

    def allows(self) -> bool:
        with self._lock:
            now = monotonic()
            if len(self._times) == self._times.maxlen and now - self._times[0] < 60:
                return False
            self._times.append(now)
            return True


_RESULT_CLASSES = {
    "sr": "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "sc": "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image
}


def _peer(peer: str, role: str = "", *, requestor: bool = False) -> Participant:
    """Return a participant for ``AET@address``, for an address, or for a folder."""
    title, _, address = peer.rpartition("@")
    return Participant(
        user=peer,
        role=role,
        title=title,
        address=address if title or is_ip(address) else "",
        requestor=requestor,
    )


def _study(instance: Instance, objects: Iterable[tuple[str, str]]) -> Element:
    """Return an instance's study with the objects, as (SOP Class UID, UID), that it is about."""
    element = about("110180", instance.study_instance_uid, "", STUDY)
    description = ET.SubElement(element, "ParticipantObjectDescription")
    if instance.accession_number:
        ET.SubElement(description, "Accession", Number=clean(instance.accession_number))
    for sop_class, uid in objects:
        kind = {"UID": sop_class} if sop_class else {}
        holder = ET.SubElement(description, "SOPClass", kind, NumberOfInstances="1")
        ET.SubElement(holder, "Instance", UID=uid)
    return element


def _patient(instance: Instance) -> Element:
    return about("2", instance.patient_id, instance.patient_name, PATIENT)


def _append(file: Path, message: str) -> None:
    """Append a line in one write, so that processes do not mix theirs."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{message}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:  # the ledger has it
        _LOG.error("the audit file cannot be written", extra={"reason": error.strerror})
