"""Test which addresses count as public, for webhooks and for what cloudlet fetches."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path

import pytest

from apps.webhooks import public_addresses
from cloudlet.network import public_addresses as of_cloudlet

# IANA's special-purpose address registries as of 2025, entry by entry, and the other ranges that hold no server.
SPECIAL = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32
::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128
2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2620:4f:8000::/48
3fff::/20 5f00::/16 fc00::/7 fe80::/10
224.0.0.0/4 ff00::/8 fec0::/10 ::/96 fd00:ec2::254/128 169.254.169.254/32 4000::/2 8000::/1
"""
PUBLIC = """
1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 172.15.255.255
172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2606:4700::1111 2620:4f:7fff:: 2620:4f:8001:: 3ffe:: 3fff:1000::
"""
# IPv6 addresses that embed an IPv4 address (RFC 4291, 6052, 3056 and 5214).
CARRIERS: dict[str, Callable[[int], int]] = {
    "mapped": lambda inner: 0xFFFF << 32 | inner,
    "NAT64": lambda inner: 0x64FF9B << 96 | inner,
    "6to4": lambda inner: 0x2002 << 112 | inner << 80 | 1,
    "ISATAP": lambda inner: 0x26064700 << 96 | 0x5EFE << 32 | inner,
    "ISATAP, unique": lambda inner: 0x26064700 << 96 | 0x2005EFE << 32 | inner,
}
# These are never public, whatever they embed.
CLOSED: dict[str, Callable[[int], int]] = {
    "compatible": lambda inner: inner,
    "Teredo, as its server": lambda inner: 0x20010000 << 96 | inner << 64,
    "Teredo, as its client": lambda inner: 0x20010000 << 96 | inner ^ 0xFFFFFFFF,
    "local NAT64": lambda inner: 0x64FF9B0001 << 80 | inner,
    "ISATAP, link-local": lambda inner: 0xFE80 << 112 | 0x5EFE << 32 | inner,
}

both = pytest.mark.parametrize(
    "is_public", [public_addresses.is_public, of_cloudlet.is_public], ids=["backend", "cloudlet"]
)


def ends(network: IPv4Network | IPv6Network) -> list[str]:
    return [str(network[0]), str(network[network.num_addresses // 2]), str(network[-1])]


def test_the_copies_of_backend_and_cloudlet_are_equal() -> None:
    own, other = (Path(str(module.__file__)).read_text() for module in (public_addresses, of_cloudlet))
    assert own == other


@both
@pytest.mark.parametrize("text", SPECIAL.split())
def test_no_special_purpose_range_is_public(is_public: Callable[[str], bool], text: str) -> None:
    for address in ends(ip_network(text)):
        assert not is_public(address), address


@both
@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_beside_special_ranges_are_public(is_public: Callable[[str], bool], address: str) -> None:
    assert is_public(address)


@both
@pytest.mark.parametrize("carrier", CARRIERS)
def test_address_that_embeds_another_is_as_public_as_that(is_public: Callable[[str], bool], carrier: str) -> None:
    special = [network for text in SPECIAL.split() if isinstance(network := ip_network(text), IPv4Network)]
    for inner in (address for network in special for address in ends(network)):
        assert not is_public(str(IPv6Address(CARRIERS[carrier](int(IPv4Address(inner)))))), inner
    for inner in (address for address in PUBLIC.split() if ":" not in address):
        assert is_public(str(IPv6Address(CARRIERS[carrier](int(IPv4Address(inner)))))), inner


@both
@pytest.mark.parametrize("carrier", CLOSED)
def test_internal_tunnels_are_not_public(is_public: Callable[[str], bool], carrier: str) -> None:
    for inner in ("1.1.1.1", "10.0.0.1", "127.0.0.1"):
        assert not is_public(str(IPv6Address(CLOSED[carrier](int(IPv4Address(inner))))))


@both
@pytest.mark.parametrize("address", ["fe80::1%2", "fe80::1%lo", "fec0::1%1", "::1%lo"])
def test_zone_is_ignored(is_public: Callable[[str], bool], address: str) -> None:
    assert not is_public(address)
