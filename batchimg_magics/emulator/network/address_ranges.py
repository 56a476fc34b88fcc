"""Address ranges of virtual networks and subnets, and the addresses that interfaces get from them.

Source: Microsoft's "Virtual network FAQ" (five addresses of a subnet are reserved, the smallest is a /29); the refusals
as Azure's users quote them.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

from batchimg_magics.emulator.arm.bodies import missing
from batchimg_magics.emulator.http.messages import Refusal

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
#: The longest prefix of a subnet, by the version of IP.
_LONGEST = {4: 29, 6: 64}
#: The first addresses of a subnet are reserved: the network, the gateway, and two of DNS; so is the last one.
_RESERVED_FIRST = 4


def parse_prefix(text: object, key: str) -> Network:
    """Return an address prefix of a resource, or refuse one that is not in CIDR notation."""
    try:
        loose = ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        loose = None
    if loose is None or not str(text).partition("/")[2].isdecimal():  # neither without a length, nor with a mask
        message = (
            f"Address prefix {text} of resource {key} is not formatted correctly. It should follow CIDR notation, for "
            "example 10.0.0.0/24."
        )
        raise Refusal(400, "InvalidAddressPrefixFormat", message)
    if str(loose.network_address) != str(ipaddress.ip_address(str(text).partition("/")[0])):
        message = (
            f"The address prefix {text} in resource {key} has an invalid CIDR notation. For the given prefix length, "
            f"the address prefix should be {loose}."
        )
        raise Refusal(400, "InvalidCIDRNotation", message)
    return loose


def parse_prefixes(listed: object, key: str, what: str) -> list[Network]:
    """Return the address prefixes of a resource: at least one, and none of them twice."""
    if not isinstance(listed, list) or not listed:
        raise missing(what)
    found: list[Network] = []
    for one in listed:
        prefix = parse_prefix(one, key)
        if other := next((known for known in found if overlap(known, prefix)), None):
            message = f"Address prefixes {other} and {prefix} of resource {key} overlap."
            raise Refusal(400, "AddressPrefixesOverlap", message)
        found.append(prefix)
    return found


def overlap(one: Network, other: Network) -> bool:
    """Tell whether two ranges have an address in common."""
    return one.version == other.version and one.overlaps(other)


def contains(outer: Network, inner: Network) -> bool:
    """Tell whether a range contains another one."""
    return (
        outer.version == inner.version
        and int(outer.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(outer.broadcast_address)
    )


def check_subnet(name: str, network: str, prefixes: list[Network], outer: list[Network]) -> None:
    """Refuse a subnet that is too small, or outside its virtual network."""
    for prefix in prefixes:
        if prefix.prefixlen > _LONGEST[prefix.version]:
            raise Refusal(400, "NetcfgInvalidSubnet", f"Subnet '{name}' is not valid in virtual network '{network}'.")
        if not any(contains(one, prefix) for one in outer):
            message = (
                f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual "
                f"network '{network}'."
            )
            raise Refusal(400, "NetcfgSubnetRangeOutsideVnet", message)


def free_address(prefixes: list[Network], taken: set[str]) -> str | None:
    """Return the lowest address that no interface has, None if there is none."""
    for prefix in prefixes:
        last = prefix.num_addresses - 1
        for number in range(_RESERVED_FIRST, min(last, _RESERVED_FIRST + len(taken) + 1)):
            if (address := str(prefix[number])) not in taken:
                return address
    return None


def problem_of_address(text: str, prefixes: list[Network]) -> tuple[str, str] | None:
    """Return why an interface cannot have an address: code and message; None if it can."""
    shown = ", ".join(map(str, prefixes))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "InvalidIPAddressFormat", f"Value '{text}' is not a valid IP address."
    home = next((one for one in prefixes if one.version == address.version and address in one), None)
    if home is None:
        message = f"Private static IP address {text} does not belong to the range of subnet prefix {shown}."
        return "PrivateIPAddressNotInSubnet", message
    number = int(address) - int(home.network_address)
    if number < _RESERVED_FIRST or address == home.broadcast_address:
        message = f"Private static IP address {text} falls within reserved IP range of subnet prefix {shown}."
        return "PrivateIPAddressInReservedRange", message
    return None
