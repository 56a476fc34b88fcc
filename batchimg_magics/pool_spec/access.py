"""Access to and from the nodes of a pool: user accounts, login ports, container registries."""

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

# Source of the limits: Batch OpenAPI, InboundNATPool, PoolEndpointConfiguration, NetworkSecurityGroupRule, UserAccount.
MAX_LOGIN_PORTS, MAX_RULES, MAX_USER_NAME = 5, 25, 20
MIN_FRONTEND_PORTS = 40
_RESERVED_ON_NODES = frozenset({29876, 29877})
_RESERVED_FRONTEND_PORTS = range(50_000, 55_001)
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,75}\w)?", re.ASCII)
#: Default frontend ports: the first one, and the number per login port.
_FIRST_FRONTEND_PORT, _PORTS_PER_LOGIN_PORT = 1_000, 9_800
_NAMES = {22: "ssh", 3389: "rdp"}


class UserAccount(SpecModel):
    """A user on every node.

    Parameters
    ----------
    name
        At most 20 characters.
    password
        As ``env:NAME``.
    elevation
        ``admin`` or ``nonadmin``.
    uid, gid
        On Linux only: both or none.
    ssh_private_key
        On Linux only, as ``env:NAME``: a key for SSH between the nodes of a pool with inter-node communication.
    login_mode
        On Windows only: ``batch`` or ``interactive``.
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
            raise SpecError(f"user account {self.name} has only one of uid and gid", hint="specify both, or none")
        return self


def _check_source_address(text: str) -> str:
    """Accept an IP address, a range, or an Azure service tag such as VirtualNetwork."""
    if text != "*" and not text.isalpha():
        try:
            ip_network(text)
        except ValueError:
            raise SpecError(
                f"{text} is not an IP address or range", hint="for example 203.0.113.7 or 203.0.113.0/24"
            ) from None
    return text


class LoginPort(SpecModel):
    """A port of every node that can be reached from outside; each node has its own frontend port for it.

    Parameters
    ----------
    port
        Port on the node: 22 for SSH, 3389 for RDP.
    name
        Default: ``ssh``, ``rdp``, or protocol and port.
    protocol
        ``tcp`` or ``udp``.
    first, last
        Range of frontend ports: at least 40, and one per node. Default: a range of 9,800.
    allow
        Addresses with access; default: all.
    """

    port: Annotated[int, Field(ge=1, le=65_535, strict=True)]
    name: Text | None = None
    protocol: Literal["tcp", "udp"] = "tcp"
    first: Annotated[int, Field(ge=1, le=65_534, strict=True)] | None = None
    last: Annotated[int, Field(ge=1, le=65_534, strict=True)] | None = None
    allow: tuple[Annotated[str, AfterValidator(_check_source_address)], ...] = ()

    @property
    def nat_pool_name(self) -> str:
        """Name of the inbound NAT pool."""
        return self.name or _NAMES.get(self.port, f"{self.protocol}-{self.port}")

    @property
    def max_nodes(self) -> int:
        """Maximum number of nodes: each needs one frontend port."""
        return (self.last or 0) - (self.first or 1) + 1

    @model_validator(mode="after")
    def _check_port(self) -> Self:
        if self.port in _RESERVED_ON_NODES:
            raise SpecError(f"login port {self.port} is reserved by Batch", hint="use another port")
        if not _NAME.fullmatch(self.nat_pool_name):
            raise SpecError(
                f"{self.nat_pool_name!r} is not a valid name of a login port",
                hint="use up to 77 letters, digits, `_`, `.`, `-`; start with a letter or digit, end without `.`, `-`",
            )
        if (self.first is None) != (self.last is None):
            raise SpecError(f"login port {self.port} has only one of first and last", hint="specify both, or none")
        if self.first is not None and self.last is not None:
            self._check_range(self.first, self.last)
        return self

    def _check_range(self, first: int, last: int) -> None:
        if last - first + 1 < MIN_FRONTEND_PORTS:
            raise SpecError(
                f"login port {self.port} has frontend ports {first} to {last}",
                hint=f"Azure requires at least {MIN_FRONTEND_PORTS} frontend ports",
            )
        if first <= _RESERVED_FRONTEND_PORTS[-1] and last >= _RESERVED_FRONTEND_PORTS[0]:
            raise SpecError(
                f"login port {self.port} has frontend ports {first} to {last}",
                hint="50000 to 55000 are reserved by Batch",
            )


def _normalize_ports(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [{"port": one} if isinstance(one, int) and not isinstance(one, bool) else one for one in listed]


def _assign_port_ranges(ports: tuple[LoginPort, ...]) -> tuple[LoginPort, ...]:
    """Assign default frontend ports, and check the ports against each other."""
    if len(ports) > MAX_LOGIN_PORTS:
        raise SpecError(f"too many login ports: {len(ports)}", hint=f"Azure allows at most {MAX_LOGIN_PORTS}")
    complete = tuple(
        port
        if port.first is not None
        else port.model_copy(
            update={
                "first": (first := _FIRST_FRONTEND_PORT + place * _PORTS_PER_LOGIN_PORT),
                "last": first + _PORTS_PER_LOGIN_PORT - 1,
            }
        )
        for place, port in enumerate(ports)
    )
    for key, what in ((lambda one: one.nat_pool_name.lower(), "name"), (lambda one: (one.port, one.protocol), "port")):
        if len({key(port) for port in complete}) < len(complete):
            raise SpecError(f"two login ports have the same {what}", hint=f"use a different {what} for each")
    spans = sorted((port.first or 0, port.last or 0) for port in complete)
    if any(later[0] <= earlier[1] for earlier, later in pairwise(spans)):
        raise SpecError(
            "the frontend ports of two login ports overlap", hint="specify separate ranges with first and last"
        )
    if sum(len(port.allow) + 1 for port in complete if port.allow) > MAX_RULES:
        raise SpecError(
            "the login ports allow too many addresses", hint=f"Azure allows {MAX_RULES} rules in total: use ranges"
        )
    return complete


#: Port numbers, or complete login ports.
LoginPorts = Annotated[tuple[LoginPort, ...], BeforeValidator(_normalize_ports), AfterValidator(_assign_port_ranges)]


class ContainerRegistry(SpecModel):
    """A registry of container images.

    Parameters
    ----------
    server
        Its host name; default: Docker Hub.
    user, password
        Credentials to pull images; the password as ``env:NAME``.
    identity
        Instead of credentials: resource id of one of the pool's identities.
    """

    server: Text = "docker.io"
    user: Text | None = None
    password: SecretReference | None = None
    identity: IdentityId | None = None

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if (self.user is None) != (self.password is None) or (self.user is None) == (self.identity is None):
            raise SpecError(
                f"container registry {self.server} needs exactly one kind of credentials",
                hint="specify user and password, or identity",
            )
        return self
