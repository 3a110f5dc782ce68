"""Tell addresses of the public internet from all others, the same on every version of Python.

``ipaddress.is_global`` follows IANA's registries as they were when that Python was made, so it can't decide what is
safe to connect to. The backend and cloudlet share no code: each has this module, and a test keeps the copies alike.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

# IANA's special-purpose registries, and multicast. Some of these are routed, but they hold no server of a customer.
SPECIAL_IPV4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
SPECIAL_IPV6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")]
GLOBAL_UNICAST = IPv6Network("2000::/3")  # the only part of IPv6 that IANA gives out for servers
# Mapped, translated (RFC 6052) and 6to4 addresses lead on to the IPv4 address that starts at this byte.
CARRIERS = {IPv6Network("::ffff:0:0/96"): 12, IPv6Network("64:ff9b::/96"): 12, IPv6Network("2002::/16"): 2}
# ISATAP (RFC 5214): one of these and an IPv4 address are the lower half of any IPv6 address.
ISATAP = (bytes.fromhex("00005efe"), bytes.fromhex("02005efe"))


def is_public(address: str) -> bool:
    """Return whether a numeric address, and any IPv4 address that it leads on to, is of the public internet."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        return not any(found in network for network in SPECIAL_IPV4)
    for network, start in CARRIERS.items():
        if found in network:
            return is_public(str(IPv4Address(found.packed[start : start + 4])))
    if found.packed[8:12] in ISATAP and not is_public(str(IPv4Address(found.packed[12:]))):
        return False
    return found in GLOBAL_UNICAST and not any(found in network for network in SPECIAL_IPV6)
