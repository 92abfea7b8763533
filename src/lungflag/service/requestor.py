"""An application entity that asks for associations (PS3.7, D.3) and leaves nothing open."""

from __future__ import annotations

from contextlib import suppress
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY
from typing import TYPE_CHECKING

from pynetdicom import AE
from pynetdicom.transport import AssociationSocket

from lungflag.outputs.identity import IMPLEMENTATION_UID
from lungflag.service.incoming import IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from ssl import SSLContext

    from pynetdicom.association import Association
    from pynetdicom.transport import AddressInformation


class Requestor(AE):
    """An application entity whose associations leave no socket open, however they end.

    Parameters
    ----------
    ae_title : str
        With which it calls.
    connect_seconds, answer_seconds : float
        How long a peer may take to let it in, and to answer a message.
    """

    def __init__(self, ae_title: str, *, connect_seconds: float, answer_seconds: float) -> None:
        super().__init__(ae_title)
        self.implementation_class_uid = IMPLEMENTATION_UID
        self.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self.connection_timeout = self.acse_timeout = connect_seconds
        self.dimse_timeout = self.network_timeout = answer_seconds

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[SSLContext, str] | None,
    ) -> AssociationSocket:
        link = _Socket(assoc, address=address)
        link.tls_args = tls_args
        if link.socket is not None:
            # Commands and data sets are small PDUs, which are not to wait for acknowledgements.
            link.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        return link


class _Socket(AssociationSocket):
    """A socket that is closed when its association ends; pynetdicom's is not if none was made."""

    def _shutdown_socket(self) -> None:
        if self.socket is not None:
            with suppress(OSError):  # not connected, or not any more
                self.socket.shutdown(SHUT_RDWR)
            self.socket.close()
