"""The node behind mutual TLS: who has no valid certificate of ours stays outside."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread, uid

from lungflag.errors import ConfigurationError
from lungflag.service.tls import client_context, server_context
from tests.service.certificates import Certificates, Identity, make_certificates
from tests.service.dcmtk import call
from tests.service.doors import Door, open_door, running_node
from tests.service.films import phantom_pixels, write_film
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.service.node import Node
    from lungflag.service.settings import Settings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    with open_door(settings) as opened:
        yield opened


@pytest.fixture
def node(door: Door, certificates: Certificates) -> Iterator[Node]:
    ours = certificates.service
    context = server_context(ours.certificate, ours.key, certificates.ca)
    with running_node(door, tls=context, seconds=5) as running:
        yield running


def options(identity: Identity, ca: Path) -> list[object]:
    return ["+tls", identity.key, identity.certificate, "+cf", ca]


def test_a_known_peer_stores_over_tls(
    door: Door, node: Node, certificates: Certificates, tmp_path: Path
) -> None:
    film = write_film(tmp_path, uid.ExplicitVRLittleEndian, phantom_pixels())
    shown = options(certificates.peer, certificates.ca)
    assert call("echoscu", node.port, options=shown) == ""
    assert call("storescu", node.port, film, options=shown) == ""
    assert door.knows(dcmread(film).SOPInstanceUID)


@pytest.mark.parametrize("who", ["expired", "foreign"])
def test_a_certificate_that_does_not_count_is_refused(
    door: Door, node: Node, certificates: Certificates, who: str
) -> None:
    shown = options(getattr(certificates, who), certificates.ca)
    assert call("echoscu", node.port, options=shown) != ""
    until(door.alerts)
    assert door.alerts() == [("127.0.0.1", "no association: CERTIFICATE_VERIFY_FAILED")]
    assert not node.associations


def test_no_certificate_is_refused(door: Door, node: Node, certificates: Certificates) -> None:
    assert call("echoscu", node.port, options=["+tla", "+cf", certificates.ca]) != ""
    until(door.alerts)
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in door.alerts()[0][1]


def test_no_tls_is_refused(node: Node) -> None:
    assert call("echoscu", node.port, options=["-ta", "5"]) != ""


def test_old_versions_of_tls_are_refused(node: Node, certificates: Certificates) -> None:
    peer = certificates.peer
    context = client_context(peer.certificate, peer.key, certificates.ca)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", node.port)) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain)


def test_a_peer_that_does_not_shake_hands_keeps_nobody_waiting(
    node: Node, certificates: Certificates
) -> None:
    shown = options(certificates.peer, certificates.ca)
    stalled = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(10)]
    assert call("echoscu", node.port, options=shown) == ""
    for connection in stalled:
        connection.settimeout(20)
        assert connection.recv(1) == b""  # the node hangs up
        connection.close()


class TestFiles:
    """Certificates that cannot be used are named, before anybody connects."""

    def refusal(self, certificate: Path, key: Path, ca: Path) -> str:
        with pytest.raises(ConfigurationError) as caught:
            server_context(certificate, key, ca)
        return str(caught.value)

    def test_a_file_that_is_not_there(self, certificates: Certificates, tmp_path: Path) -> None:
        ours, missing = certificates.service, tmp_path / "missing.pem"
        assert "cannot be read" in self.refusal(missing, ours.key, certificates.ca)
        assert "cannot be read" in self.refusal(ours.certificate, ours.key, missing)

    def test_a_key_of_another_certificate(self, certificates: Certificates) -> None:
        ours, peer = certificates.service, certificates.peer
        said = self.refusal(ours.certificate, peer.key, certificates.ca)
        assert said.endswith("in PEM (key values mismatch)")

    def test_no_certificates_at_all(self, certificates: Certificates, tmp_path: Path) -> None:
        text, ours = tmp_path / "text.pem", certificates.service
        text.write_text("no certificate\n")
        assert "in PEM" in self.refusal(text, ours.key, certificates.ca)
        assert "holds no certificates" in self.refusal(ours.certificate, ours.key, text)

    def test_an_encrypted_key_is_refused_without_asking(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        from cryptography.hazmat.primitives import serialization

        ours = certificates.service
        key = serialization.load_pem_private_key(ours.key.read_bytes(), None)
        locked = tmp_path / "locked.key"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        assert "unencrypted" in self.refusal(ours.certificate, locked, certificates.ca)
