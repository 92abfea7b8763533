from __future__ import annotations

import pytest

from lungflag.errors import ConfigurationError
from lungflag.service.peers import Peers, is_loopback


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
    ],
)
def test_without_a_list_this_machine_alone_is_admitted(address: str, admitted: bool) -> None:
    assert Peers([]).admits("ANY", address) is admitted
    assert Peers([]).admits_address(address) is admitted


@pytest.mark.parametrize(
    ("title", "address", "admitted", "address_admitted"),
    [
        ("XRAY1", "192.0.2.7", True, True),
        ("XRAY1", "::ffff:192.0.2.7", True, True),
        ("XRAY2", "192.0.2.7", False, True),
        ("XRAY1", "192.0.2.8", False, False),
        ("XRAY1", "198.51.100.255", False, True),
        ("WARD", "198.51.100.255", True, True),
        ("WARD", "198.51.101.0", False, False),
        ("XRAY6", "2001:db8::7", True, True),
        ("xray1", "192.0.2.7", False, True),
        ("XRAY1", "127.0.0.1", False, False),
    ],
)
def test_a_list_admits_what_it_names(
    title: str, address: str, admitted: bool, address_admitted: bool
) -> None:
    peers = Peers(["XRAY1@192.0.2.7", "WARD@198.51.100.0/24", "XRAY6@2001:db8::7"])
    assert peers.admits(title, address) is admitted
    assert peers.admits_address(address) is address_admitted


@pytest.mark.parametrize("entry", ["A@hospital.example", "A@", "A@192.0.2.1/24", "A@1.2.3"])
def test_what_is_no_address_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="no address or network"):
        Peers([entry])


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("", False)],
)
def test_listeners_that_this_machine_alone_can_reach(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
