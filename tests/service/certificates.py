"""Certificates for tests of TLS: of our own authority, of a foreign one, and expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority and whom it, or another one, has certified.

    Attributes
    ----------
    ca : Path
        The authority's own certificate.
    service, peer : Identity
        Of the service and of a sender.
    expired : Identity
        Of a sender whose certificate is no longer valid.
    foreign : Identity
        Of a sender that another authority knows.
    """

    ca: Path
    service: Identity
    peer: Identity
    expired: Identity
    foreign: Identity


def make_certificates(folder: Path) -> Certificates:
    """Make all of them in `folder`."""
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    yesterday = datetime.now(UTC) - timedelta(days=1)

    def issue(name: str, issuer: trustme.CA, not_after: datetime | None = None) -> Identity:
        issued = issuer.issue_cert("127.0.0.1", "localhost", not_after=not_after)
        identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
        identity.certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(identity.key)
        return identity

    return Certificates(
        ca,
        service=issue("service", authority),
        peer=issue("peer", authority),
        expired=issue("expired", authority, yesterday),
        foreign=issue("foreign", trustme.CA()),
    )
