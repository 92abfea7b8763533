"""The DICOM node: C-ECHO, C-STORE and storage commitment as service class provider."""

from __future__ import annotations

import logging
from math import inf
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, cast

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    Verification,
)

from lungflag.errors import ServiceError
from lungflag.outputs.identity import IMPLEMENTATION_UID
from lungflag.radiograph.frame import TRANSFER_SYNTAXES
from lungflag.service.association import MAXIMUM_PDU, Acceptor, Server
from lungflag.service.failure import OUT_OF_RESOURCES, Failure, refusal, take_in
from lungflag.service.incoming import IMPLEMENTATION_VERSION_NAME, Incoming
from lungflag.service.intake import SOP_CLASSES
from lungflag.service.priority import of_message

if TYPE_CHECKING:
    import ssl

    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.pdu_primitives import A_ASSOCIATE
    from pynetdicom.presentation import PresentationContext

    from lungflag.service.audit import Audit
    from lungflag.service.intake import Intake
    from lungflag.service.metrics import Metrics
    from lungflag.service.peers import Peers
    from lungflag.service.room import Room
    from lungflag.service.storage_commitment import StorageCommitment

NETWORK_SECONDS = 60.0
"""How long a peer may be silent, or take for a TLS handshake, a request or a PDU."""

# Permanent, by the service user (PS3.8, 9.3.4).
_CALLING_TITLE_NOT_RECOGNISED, _CALLED_TITLE_NOT_RECOGNISED = (1, 1, 3), (1, 1, 7)
_UNCOMPRESSED: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_LOG = logging.getLogger(__name__)


class Node:
    """Listens for DICOM associations. C-STORE succeeds after the object is safe, and not before.

    Parameters
    ----------
    intake : Intake
        The door for objects.
    metrics : Metrics
        Where refusals are counted that the door does not see.
    audit : Audit
        Where refused peers are noted.
    peers : Peers
        Who may associate.
    room : Room
        For objects on their way in.
    ae_title : str
        Of the node; an association that calls another one is rejected.
    host, port : str, int
        Where to listen. Port 0 takes any that is free.
    tls : ssl.SSLContext, optional
        For mutual TLS.
    associations : int
        How many there may be at once.
    commitment : StorageCommitment, optional
        For storage commitment.
    seconds : float
        How long a peer may be silent.
    """

    def __init__(
        self,
        intake: Intake,
        metrics: Metrics,
        audit: Audit,
        peers: Peers,
        room: Room,
        *,
        ae_title: str,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        associations: int = 16,
        commitment: StorageCommitment | None = None,
        seconds: float = NETWORK_SECONDS,
    ) -> None:
        self._intake, self._metrics, self._audit = intake, metrics, audit
        self._peers, self._room = peers, room
        self._commitment = commitment
        self._entity = AE(ae_title)
        self._entity.implementation_class_uid = IMPLEMENTATION_UID
        self._entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._entity.maximum_pdu_size = MAXIMUM_PDU
        self._entity.maximum_associations = associations
        self._entity.acse_timeout = self._entity.dimse_timeout = seconds
        self._entity.network_timeout = seconds
        self._entity.supported_contexts = presentation_contexts(commitment=commitment is not None)
        self._host, self._port, self._tls, self._seconds = host, port, tls, seconds
        self._server: Server | None = None
        self._stopped = inf
        self._thread = Thread(target=self._serve, name="dicom")

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1]) if self._server else self._port

    @property
    def associations(self) -> list[Acceptor]:
        """The associations that are open."""
        return cast("list[Acceptor]", self._server.active_associations) if self._server else []

    @property
    def alive(self) -> bool:
        """Whether it accepts associations."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Accept associations, in threads, until `stop`.

        Raises
        ------
        ServiceError
            If it cannot listen where it should.
        """
        self._server = self._listen()
        self._thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Accept no more associations and no more C-STOREs, let running ones finish, and end.

        Parameters
        ----------
        seconds : float
            After which associations are aborted, whatever they are doing.
        """
        if self._server is None:
            return
        self._stopped = monotonic()
        self._server.shutdown()
        self._thread.join()
        until = monotonic() + seconds
        while associations := self.associations:
            for association in associations:
                if association.idle or monotonic() > until:
                    association.cut()
            sleep(0.02)

    def _serve(self) -> None:
        cast("Server", self._server).serve_forever(poll_interval=0.1)

    def _listen(self) -> Server:
        handlers: list[tuple[evt.EventType, Any]] = [
            (evt.EVT_REQUESTED, self._admit),
            (evt.EVT_C_ECHO, lambda _: 0x0000),
            (evt.EVT_C_STORE, self._store),
        ]
        if self._commitment is not None:
            handlers.append((evt.EVT_N_ACTION, self._commitment.request))
        try:
            return Server(
                self._entity,
                (self._host, self._port),
                handlers,
                room=self._room,
                tls=self._tls,
                seconds=self._seconds,
                admits=self._peers.admits_address,
                on_refusal=self._note_refusal,
            )
        except OSError as error:
            raise ServiceError(
                f"the node cannot listen on {self._host}:{self._port} ({error.strerror})"
            ) from error

    def _admit(self, event: evt.Event) -> None:
        """Reject an association that calls another AE, or that `allow` does not name."""
        association = event.assoc
        request = cast("A_ASSOCIATE", association.requestor.primitive)
        title = request.calling_ae_title.strip()
        if request.called_ae_title.strip() != self._entity.ae_title:
            rejection, reason = _CALLED_TITLE_NOT_RECOGNISED, "another AE title called"
        elif not self._peers.admits(title, association.requestor.address):
            rejection, reason = _CALLING_TITLE_NOT_RECOGNISED, "AE title not allowed"
        else:
            return
        association.acse.send_reject(*rejection)
        association.kill()  # returns after the rejection is sent
        self._note_refusal(_name(title, association), reason)

    def _note_refusal(self, peer: str, reason: str) -> None:
        _LOG.warning("a peer was not let in", extra={"peer": peer, "reason": reason})
        try:
            self._audit.refused(peer, reason)
        except ServiceError as error:
            _LOG.error("the audit trail cannot be written", extra={"reason": str(error)})

    def _store(self, event: evt.Event) -> Dataset:
        """Take in the object of a C-STORE request, and return the response's status."""
        request = cast("C_STORE", event.request)
        incoming = cast("Incoming", request.DataSet)
        if incoming.begun > self._stopped:
            return _status(Failure(OUT_OF_RESOURCES, "the node is being stopped"))
        if incoming.refusal:
            self._metrics.refused("dimse", incoming.refusal)
            return _status(refusal(incoming.refusal))
        answer = take_in(
            self._intake,
            incoming.getvalue(),
            via="dimse",
            peer=_name(event.assoc.requestor.ae_title, event.assoc),
            priority=of_message(request.Priority),
            announced={
                "SOPClassUID": str(request.AffectedSOPClassUID),
                "SOPInstanceUID": str(request.AffectedSOPInstanceUID),
            },
        )
        return _status(answer if isinstance(answer, Failure) else None)


def presentation_contexts(*, commitment: bool) -> list[PresentationContext]:
    """Return the presentation contexts that the node accepts."""
    contexts = [
        build_context(Verification, _UNCOMPRESSED),
        *(build_context(sop_class, [*TRANSFER_SYNTAXES]) for sop_class in SOP_CLASSES),
    ]
    if commitment:
        contexts.append(build_context(StorageCommitmentPushModel, _UNCOMPRESSED))
    return contexts


def _name(title: str, association: Association) -> str:
    return f"{title}@{association.requestor.address}"


def _status(failure: Failure | None) -> Dataset:
    status = Dataset()
    status.Status = failure.status if failure else 0x0000
    if failure:
        status.ErrorComment = failure.error_comment
    return status
