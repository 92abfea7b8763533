"""Who may associate with the node."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from lungflag.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Peers:
    """The setting `allow`: AE titles and the addresses from which they may come.

    Parameters
    ----------
    allow : sequence of str
        ``AET@address``, where the address may be a network, such as ``192.0.2.0/24``. Without any,
        every AE title is admitted from this machine, and nobody from elsewhere.

    Raises
    ------
    ConfigurationError
        If an address is none: names are not resolved, for whoever answers for the name would
        decide who is let in.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        self._allowed = [_parsed(entry) for entry in allow]

    def admits(self, title: str, address: str) -> bool:
        """Return whether an AE may associate."""
        found = _address(address)
        if not self._allowed:
            return found.is_loopback
        return any(title == aet and found in network for aet, network in self._allowed)

    def admits_address(self, address: str) -> bool:
        """Return whether any AE may associate from an address."""
        found = _address(address)
        if not self._allowed:
            return found.is_loopback
        return any(found in network for _, network in self._allowed)


def is_loopback(host: str) -> bool:
    """Return whether a listener on `host` can be reached from this machine alone."""
    try:
        return host == "localhost" or _address(host).is_loopback
    except ValueError:
        return False


def _parsed(entry: str) -> tuple[str, IPv4Network | IPv6Network]:
    title, _, address = entry.rpartition("@")
    try:
        return title, ip_network(address)
    except ValueError as error:
        raise ConfigurationError(f"allow: {entry}: no address or network ({error})") from error


def _address(text: str) -> IPv4Address | IPv6Address:
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
