"""A DICOM peer as a target: storage service class user (PS3.4, annex B)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from lungflag.errors import ConfigurationError
from lungflag.service.deliver.answer import Answer, State
from lungflag.service.deliver.status import to_answer
from lungflag.service.requestor import Requestor
from lungflag.service.tls import client_context

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

    from pydicom import Dataset
    from pynetdicom.association import Association

    from lungflag.service.ledger import Delivery
    from lungflag.service.settings import Settings, Target

CONNECT_SECONDS, ANSWER_SECONDS = 10, 30
"""How long a peer may take to let us in, and to answer a message."""

SOP_CLASSES = (Comprehensive3DSRStorage, SecondaryCaptureImageStorage)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
"""In which each of them is sent: the first that the peer takes."""

_PRIORITIES = {"MEDIUM": 0, "HIGH": 1, "LOW": 2}  # Priority (0000,0700), PS3.7, 9.3.1.1
_ECHO = UID("1.2.840.10008.1.1")  # Verification SOP Class (PS3.4, A.4)


class Dicom:
    """Sends objects by C-STORE. One association serves a burst."""

    def __init__(self, target: Target, settings: Settings) -> None:
        self._target = target
        self._settings = settings
        self._entity = Requestor(
            target.calling or settings.ae_title,
            connect_seconds=CONNECT_SECONDS,
            answer_seconds=ANSWER_SECONDS,
        )
        for sop_class in SOP_CLASSES:
            self._entity.add_requested_context(sop_class, SYNTAXES)
        self._entity.add_requested_context(_ECHO, SYNTAXES)
        self._association: Association | None = None

    def deliver(self, delivery: Delivery, path: Path) -> Answer:
        """Send one object; through a fresh association where the old one turns out to be gone."""
        try:
            dataset = dcmread(path)
        except OSError as error:
            return Answer(State.FAILED, f"its file cannot be read ({error.strerror})")
        reused, priority = self._association is not None, _PRIORITIES[delivery.priority]
        answer = self._send(dataset, priority)
        if reused and answer.state is State.UNREACHABLE:
            answer = self._send(dataset, priority)
        return answer

    def release(self) -> None:
        """Give the association back, if one is open."""
        association, self._association = self._association, None
        if association is not None and association.is_established:
            association.release()

    def check(self) -> str:
        """Return what is wrong with the peer, empty where it answers C-ECHO."""
        association = self._associate()
        if isinstance(association, str):
            return association
        try:
            if not _accepts(association, _ECHO):
                return ""  # it lets us in, and has no C-ECHO
            status = association.send_c_echo()
        finally:
            self.release()
        return "" if status and status.Status == 0 else "does not answer C-ECHO"

    def _send(self, dataset: Dataset, priority: int) -> Answer:
        association = self._associate()
        if isinstance(association, str):
            return Answer(State.UNREACHABLE, association)
        if not _accepts(association, dataset.SOPClassUID):
            return Answer(State.REFUSED, f"does not take {dataset.SOPClassUID.name}")
        status = association.send_c_store(dataset, priority=priority)
        if status:
            return to_answer(status.Status, str(status.get("ErrorComment", "")))
        association.abort()
        self._association = None
        return Answer(State.UNREACHABLE, "broke off, or did not answer in time")

    def _associate(self) -> Association | str:
        """Return an open association, or why there is none."""
        if self._association is not None and self._association.is_established:
            return self._association
        self._association = None
        target = self._target
        try:
            association = self._entity.associate(
                target.host, target.port, ae_title=target.ae_title, tls_args=self._tls()
            )
        except ConfigurationError as error:
            return str(error)
        if association.is_established:
            self._association = association
            return association
        _close(association)
        if association.is_rejected:
            return f"does not let us in ({_reason(association)})"
        return f"cannot be reached at {target.host}:{target.port}"

    def _tls(self) -> tuple[SSLContext, str] | None:
        """Return pynetdicom's TLS arguments, made anew: certificates are renewed while we run."""
        settings = self._settings
        if not (
            self._target.tls and settings.tls_certificate and settings.tls_key and settings.tls_ca
        ):
            return None
        context = client_context(settings.tls_certificate, settings.tls_key, settings.tls_ca)
        return context, self._target.host


def _close(association: Association) -> None:
    """Free what pynetdicom keeps open of an association that was refused."""
    association.dul.kill_dul()
    if association.dul.is_alive():
        association.dul.join(CONNECT_SECONDS)
    if association.dul.socket is not None:
        association.dul.socket.close()


def _accepts(association: Association, sop_class: str) -> bool:
    return any(context.abstract_syntax == sop_class for context in association.accepted_contexts)


def _reason(association: Association) -> str:
    answer = association.acceptor.primitive
    return "" if answer is None else answer.reason_str
