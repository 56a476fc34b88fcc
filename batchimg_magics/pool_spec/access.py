"""Who gets at a pool's nodes, and what they may get at: user accounts, login ports, container registries."""

from __future__ import annotations

import re
from ipaddress import ip_network
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import IdentityId, SpecModel, Text
from batchimg_magics.pool_spec.secrets import SecretReference

if TYPE_CHECKING:
    from typing import Self


__all__ = ["MAX_RULES", "ContainerRegistry", "LoginPort", "LoginPorts", "UserAccount"]

# Source of these: Batch OpenAPI, InboundNATPool, PoolEndpointConfiguration, NetworkSecurityGroupRule, UserAccount.
MAX_LOGIN_PORTS, MAX_RULES, MAX_USER_NAME = 5, 25, 20
MIN_OUTSIDE_PORTS = 40
_RESERVED_ON_NODES = frozenset({29876, 29877})
_RESERVED_OUTSIDE = range(50_000, 55_001)
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,75}\w)?", re.ASCII)
#: What nobody says: the first of the outside ports, and how many each login port gets.
_FIRST_OUTSIDE_PORT, _PORTS_PER_LOGIN_PORT = 1_000, 9_800
_NAMES = {22: "ssh", 3389: "rdp"}


class UserAccount(SpecModel):
    """A user on every node.

    Parameters
    ----------
    name
        At most 20 characters.
    password
        ``env:NAME`` of it.
    elevation
        ``admin`` or ``nonadmin``.
    uid, gid
        On Linux, both or none.
    ssh_private_key
        On Linux: ``env:NAME`` of a key by which the nodes of a pool with inter-node communication reach each other.
    login_mode
        On Windows: ``batch`` or ``interactive``.
    """

    name: Annotated[Text, Field(max_length=MAX_USER_NAME)]
    password: SecretReference
    elevation: Literal["nonadmin", "admin"] = "nonadmin"
    uid: Annotated[int, Field(ge=0, strict=True)] | None = None
    gid: Annotated[int, Field(ge=0, strict=True)] | None = None
    ssh_private_key: SecretReference | None = None
    login_mode: Literal["batch", "interactive"] | None = None

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        if (self.uid is None) != (self.gid is None):
            raise SpecError(f"user account {self.name} has one of uid and gid", hint="give both, or none")
        return self


def _check_source_address(text: str) -> str:
    """Take an address, a range of them, or a service tag of Azure's such as VirtualNetwork."""
    if text != "*" and not text.isalpha():
        try:
            ip_network(text)
        except ValueError:
            raise SpecError(f"{text} is no address", hint="write it as 203.0.113.7 or 203.0.113.0/24") from None
    return text


class LoginPort(SpecModel):
    """A port of every node that is reached from outside, each node at an outside port of its own.

    Parameters
    ----------
    port
        On the node: 22 for SSH, 3389 for RDP.
    name
        By default ``ssh``, ``rdp``, or protocol and port.
    protocol
        ``tcp`` or ``udp``.
    first, last
        The outside ports: at least 40, and one for each node. By default 9,800 of them.
    allow
        Only from these addresses; by default from anywhere.
    """

    port: Annotated[int, Field(ge=1, le=65_535, strict=True)]
    name: Text | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    first: Annotated[int, Field(ge=1, le=65_534, strict=True)] | None = None
    last: Annotated[int, Field(ge=1, le=65_534, strict=True)] | None = None
    allow: tuple[Annotated[str, AfterValidator(_check_source_address)], ...] = ()

    @property
    def nat_pool_name(self) -> str:
        """The name of its inbound NAT pool."""
        return self.name or _NAMES.get(self.port, f"{self.protocol}-{self.port}")

    @property
    def max_nodes(self) -> int:
        """How many nodes it reaches."""
        return (self.last or 0) - (self.first or 1) + 1

    @model_validator(mode="after")
    def _check_port(self) -> Self:
        if self.port in _RESERVED_ON_NODES:
            raise SpecError(f"login port {self.port} is Batch's own", hint="choose another")
        if not _NAME.fullmatch(self.nat_pool_name):
            raise SpecError(
                f"{self.nat_pool_name!r} is no name for a login port",
                hint="letters, digits, `_`, `.`, `-`; at most 77, the first a letter or digit, the last no `.` or `-`",
            )
        if (self.first is None) != (self.last is None):
            raise SpecError(f"login port {self.port} has one of first and last", hint="give both, or none")
        if self.first is not None and self.last is not None:
            self._check_range(self.first, self.last)
        return self

    def _check_range(self, first: int, last: int) -> None:
        if last - first + 1 < MIN_OUTSIDE_PORTS:
            raise SpecError(
                f"login port {self.port} has outside ports {first} to {last}", hint="Azure's rule: at least 40 of them"
            )
        if first <= _RESERVED_OUTSIDE[-1] and last >= _RESERVED_OUTSIDE[0]:
            raise SpecError(
                f"login port {self.port} has outside ports {first} to {last}", hint="50000 to 55000 are Batch's own"
            )


def _normalize_ports(value: Any) -> Any:  # noqa: ANN401 - anything that YAML can say
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [{"port": one} if isinstance(one, int) and not isinstance(one, bool) else one for one in listed]


def _assign_port_ranges(ports: tuple[LoginPort, ...]) -> tuple[LoginPort, ...]:
    """Give each port its outside ports, and refuse what does not go together."""
    if len(ports) > MAX_LOGIN_PORTS:
        raise SpecError(f"there are {len(ports)} login ports", hint=f"Azure's rule: at most {MAX_LOGIN_PORTS}")
    whole = tuple(
        port
        if port.first is not None
        else port.model_copy(
            update={
                "first": (first := _FIRST_OUTSIDE_PORT + place * _PORTS_PER_LOGIN_PORT),
                "last": first + _PORTS_PER_LOGIN_PORT - 1,
            }
        )
        for place, port in enumerate(ports)
    )
    for key, what in ((lambda one: one.nat_pool_name.lower(), "name"), (lambda one: (one.port, one.protocol), "port")):
        if len({key(port) for port in whole}) < len(whole):
            raise SpecError(f"two login ports have one {what}", hint="each has its own")
    spans = sorted((port.first or 0, port.last or 0) for port in whole)
    if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
        raise SpecError("the outside ports of two login ports overlap", hint="give each first and last of its own")
    if sum(len(port.allow) + 1 for port in whole if port.allow) > MAX_RULES:
        raise SpecError("the login ports allow too many addresses", hint="Azure's rule: 25 rules in all; use ranges")
    return whole


#: Ports, or all of login ports.
LoginPorts = Annotated[tuple[LoginPort, ...], BeforeValidator(_normalize_ports), AfterValidator(_assign_port_ranges)]


class ContainerRegistry(SpecModel):
    """Where container images come from.

    Parameters
    ----------
    server
        Its name; Docker's own by default.
    user, password
        Who may pull; the password as ``env:NAME``.
    identity
        In place of them: resource id of an identity of the pool's.
    """

    server: Text = "docker.io"
    user: Text | None = None
    password: SecretReference | None = None
    identity: IdentityId | None = None

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if (self.user is None) != (self.password is None) or (self.user is None) == (self.identity is None):
            raise SpecError(
                f"container registry {self.server} has one way in", hint="give user and password, or an identity"
            )
        return self
