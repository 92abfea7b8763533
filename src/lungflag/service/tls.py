"""Mutual TLS for DICOM and HTTP (PS3.15, B.9: BCP 195)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from lungflag.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def server_context(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Return what a listener needs: peers must show a valid certificate of an authority in `ca`.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, or the key is not the certificate's.
    """
    return _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, ca)


def client_context(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Return what a sender needs: it shows its certificate, and trusts the authorities in `ca`.

    The peer's name is not compared with its certificate: DICOM peers are known by address, and
    their certificates seldom name one.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, or the key is not the certificate's.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, ca)


def web_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a listener for browsers needs: they show no certificate.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, or the key is not the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    return context


def _context(protocol: int, certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    _load(context, certificate, key)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{ca}: holds no certificates in PEM ({_said(error)})") from error
    except OSError as error:
        raise ConfigurationError(f"{ca}: cannot be read ({error.strerror})") from error
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # Without a password OpenSSL would ask for one on the terminal, and wait.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{certificate} and {key}: no certificate with its key, unencrypted, in PEM"
            f" ({_said(error)})"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{certificate} or {key}: cannot be read ({error.strerror})"
        ) from error


def _said(error: ssl.SSLError) -> str:
    return (error.reason or "unknown").replace("_", " ").lower()
