"""pynetdicom's associations, made fit for a hostile network.

What pynetdicom leaves open is closed here: a TLS handshake happens outside the loop that accepts
connections, PDUs and messages have a largest size, a peer that stalls is let go, and an
association that fails in whatever way ends its threads and its socket.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from contextlib import suppress
from copy import deepcopy
from datetime import datetime
from socketserver import BaseServer
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from lungflag.service.incoming import Incoming, Messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pynetdicom import AE
    from pynetdicom.dimse_primitives import DimseServiceType

    from lungflag.service.room import Room

MAXIMUM_PDU = 2**17
"""Bytes of a P-DATA PDU that peers are told they may send; dcmtk sends no larger ones."""

_LARGEST_PDU = 2**20  # of any kind, for peers that are not so exact
_BACKLOG = 64  # connections that wait to be accepted
_MOMENT = 1.0  # seconds for a peer to release, or to send its next message
_LOG = logging.getLogger(__name__)


class Acceptor(Association):
    """An association that a peer has asked for."""

    def __init__(self, entity: AE, room: Room) -> None:
        super().__init__(entity, "acceptor")
        self.dimse: Messages = Messages(self, room)
        self.dul = _Reactor(self)
        self.acse_timeout = entity.acse_timeout  # of the reactor's timers too
        self.network_timeout = entity.network_timeout
        self._serving = False
        self._served = monotonic()

    @property
    def idle(self) -> bool:
        """Whether no message is being received, answered or sent, nor was a moment ago."""
        return (
            not self._serving
            and self.dimse.message is None
            and self.dimse.msg_queue.empty()
            and self.dul.to_provider_queue.empty()
            and monotonic() - self._served > _MOMENT
        )

    def cut(self) -> None:
        """End the association from another thread: in words if it is idle, else at once."""
        if self.is_established and self.idle:
            self.abort()
        else:
            cast("Link", self.dul.socket).end()

    def run_reactor(self) -> None:
        """Serve the peer; at the end, nothing of the association is left."""
        try:
            super().run_reactor()
        except Exception as error:  # whatever a peer has brought about
            _LOG.warning("an association failed: %s", type(error).__name__)
        finally:
            self._end()

    def _bind_defaults(self) -> None:
        """Bind what must be bound; not the handlers that log what is received."""
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))

    def _serve_request(self, msg: DimseServiceType, context_id: int) -> None:
        self._serving = True
        try:
            super()._serve_request(msg, context_id)
        except Exception as error:  # in most cases, one that does not fit its context
            _LOG.warning("a message could not be answered: %s", type(error).__name__)
            self.abort()
        finally:
            self._serving, self._served = False, monotonic()
            if isinstance(msg._dataset_variant, Incoming):
                msg._dataset_variant.release()

    def _end(self) -> None:
        self.is_established = False
        self.dul.kill_dul()
        link = cast("Link", self.dul.socket)
        link.end()
        if self._started_dul:
            self.dul.join(link.seconds)
        self.dimse.release()


class _Reactor(DULServiceProvider):
    """The thread that reads PDUs and follows the protocol's states."""

    def run_reactor(self) -> None:
        """Run until the association ends, or the peer leaves the protocol."""
        try:
            super().run_reactor()
        except Exception as error:  # a PDU out of its order, in most cases
            _LOG.warning("a peer left the protocol: %s", type(error).__name__)
            cast("Link", self.socket).end()


class Link(AssociationSocket):
    """An association's socket, with limits of size and time."""

    def __init__(self, association: Acceptor, client: socket.socket, seconds: float) -> None:
        super().__init__(association, client_socket=client)
        self.seconds = seconds
        self._client = client

    def recv(self, nr_bytes: int) -> bytearray:
        """Read `nr_bytes`, or as many as there are before the peer closes.

        Raises
        ------
        OSError
            If there are too many, or the peer takes too long.
        """
        if nr_bytes > _LARGEST_PDU:
            raise OSError(f"a PDU of {nr_bytes} bytes")
        data, read, until = bytearray(nr_bytes), 0, monotonic() + self.seconds
        with memoryview(data) as view:
            while read < nr_bytes:
                size = self._client.recv_into(view[read:])
                read += size
                if size == 0:
                    break
                if monotonic() > until:
                    raise TimeoutError("a PDU that took too long")
        return data[:read] if read < nr_bytes else data

    def end(self) -> None:
        """Close the connection, whatever state it is in."""
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._client.close()


class Server(ThreadedAssociationServer):
    """Accepts connections, and makes an `Acceptor` of each.

    Parameters
    ----------
    entity : AE
        With its presentation contexts and limits.
    address : tuple[str, int]
        Where to listen; port 0 takes any that is free.
    handlers : sequence of (event, callable)
        To be bound to each association.
    room : Room
        For what comes in.
    tls : ssl.SSLContext or None
        For mutual TLS.
    seconds : float
        How long a peer may take for a handshake or a PDU.
    admits : callable
        From a peer's address to whether it may connect.
    on_refusal : callable
        Called with a peer's address and the reason when it is not let in.
    """

    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(
        self,
        entity: AE,
        address: tuple[str, int],
        handlers: Sequence[tuple[evt.EventType, Callable[..., Any]]],
        *,
        room: Room,
        tls: ssl.SSLContext | None,
        seconds: float,
        admits: Callable[[str], bool],
        on_refusal: Callable[[str, str], None],
    ) -> None:
        self.handlers, self.room, self.seconds = handlers, room, seconds
        self._admits, self._on_refusal = admits, on_refusal
        super().__init__(
            entity,
            address,
            entity.ae_title,
            entity.supported_contexts,
            ssl_context=tls,
            request_handler=_Handler,
        )

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. Its TLS handshake is left to its own thread."""
        client, address = cast("socket.socket", self.socket).accept()
        client.settimeout(self.seconds)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether there are few enough connections for one more."""
        del request, client_address
        # Above the maximum they are rejected in words; this is for those that never ask.
        return len(self.active_associations) < 2 * self.ae.maximum_associations

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands if there is TLS, and start the association; in a thread of its own."""
        if not self._admits(client_address[0]):
            self.shutdown_request(request)
            self._on_refusal(client_address[0], "address not allowed")
            return
        if self.ssl_context is not None:
            request = self.ssl_context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note a connection that became no association: a failed handshake, in most cases."""
        del request
        error = sys.exc_info()[1]
        reason = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
        self._on_refusal(client_address[0], f"no association: {reason}")

    def shutdown(self) -> None:
        """Accept no more connections. Associations go on."""
        BaseServer.shutdown(self)
        self.server_close()


class _Handler(RequestHandler):
    """Makes an association of a connection."""

    server: Server

    def _create_association(self) -> Acceptor:
        server, entity = self.server, self.ae
        association = Acceptor(entity, server.room)
        association.name = f"AcceptorThread@{datetime.now():%Y%m%d%H%M%S}"
        association._server = server
        client = cast("socket.socket", self.request)
        association.set_socket(Link(association, client, server.seconds))
        ours = association.acceptor
        ours.ae_title = server.ae_title
        ours.address_info = self.local
        ours.maximum_length = entity.maximum_pdu_size
        ours.implementation_class_uid = entity.implementation_class_uid
        ours.implementation_version_name = entity.implementation_version_name
        ours.supported_contexts = deepcopy(server.contexts)
        association.requestor.address_info = self.remote
        for event, handler in server.handlers:
            association.bind(event, handler)
        return association
