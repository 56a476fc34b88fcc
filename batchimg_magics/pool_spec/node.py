"""The properties of a pool's nodes: everything that distinguishes the nodes of two pools."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.access import LoginPorts, UserAccount
from batchimg_magics.pool_spec.base import (
    MODEL_CONFIG,
    IdentityId,
    PublicAddressId,
    SubnetId,
    Text,
    choice,
    first_duplicate,
)
from batchimg_magics.pool_spec.data_disks import MountPath, mount_script
from batchimg_magics.pool_spec.machine import MachineSpec
from batchimg_magics.pool_spec.mounts import BlobMount, Mount
from batchimg_magics.pool_spec.start_task import StartTask, StartTaskField
from batchimg_magics.pool_spec.tags import RESERVED_PREFIX, check_resource_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

__all__ = ["RESERVED_PREFIX", "NodeSpec"]

# Source of these limits: Batch OpenAPI: taskSlotsPerNode; "a maximum of 10 Package references"; displayName.
MAX_TASK_SLOTS, MAX_PACKAGES, MAX_DISPLAY_NAME = 256, 10, 1_024


def _check_names(pairs: Mapping[str, str]) -> Mapping[str, str]:
    for name in pairs:
        if name.lower().startswith(RESERVED_PREFIX):
            raise SpecError(
                f"{name!r} is a reserved name",
                hint=f"names that start with {RESERVED_PREFIX} are ownership entries of this tool",
            )
    return pairs


#: Metadata of the pool: name to value.
NameValuePairs = Annotated[dict[Text, str], AfterValidator(_check_names)]


class NodeSpec(MachineSpec, BaseModel):
    """The properties of a pool's nodes.

    It also has the parameters of `MachineSpec`: disks, encryption, licence, placement, containers, upgrades.

    Parameters
    ----------
    start_task
        Command line that each node runs before it accepts tasks, or a complete `StartTask`.
    check_command
        Command that checks after the start task whether the software works: a node where it fails accepts no tasks.
    packages
        Whether the start task of each node first provides the list of its packages as a file of the node.
    task_slots
        Maximum number of concurrent tasks per node: 1 to 256, and at most four per vCPU.
    inter_node
        Whether inter-node communication is enabled, for example for MPI; Azure limits the size of such pools.
    subnet
        Resource id of the subnet that the nodes join.
    no_public_address
        Whether the nodes have no public IP address; this requires a subnet.
    login_ports
        Ports that can be reached from outside, as numbers or complete `LoginPort`s.
    public_addresses
        Resource ids of your own public IP addresses, instead of those that Batch creates: one per 100 nodes of a kind.
        This requires a subnet.
    ip_families
        ``IPv4``, or ``IPv4`` and ``IPv6``, for the public addresses that Batch creates.
    ip_tags
        Type to tag of the public addresses that Batch creates.
    accelerated_networking
        Whether the nodes use accelerated networking; the VM size must support it.
    mounts
        File systems to mount on each node.
    mount_data_disks
        Whether each node mounts the data disks of its image before the start task, which then runs as administrator:
        True, or the folder on Linux (default /mnt), where the disks are lun0, lun1 and so on. On Windows, they get
        drive letters.
    user_accounts
        Users on each node.
    application_packages
        Applications of the Batch account to install on each node: name to version; None: the default version.
    identities
        Resource ids of user-assigned managed identities of the pool.
    node_fill
        ``spread``: distribute tasks over the nodes; ``pack``: fill one node after the other.
    job_order
        Order of jobs of the same priority: ``none``, or ``creationtime``: the oldest first.
    display_name
        Name of the pool in the Azure portal.
    metadata, tags
        Name to value: metadata of the pool; Azure resource tags of the pool and of all that is created for it, which
        are visible in cost reports.
    api
        ``arm``: create the pool with Azure Resource Manager; ``batch``: with the Batch data plane, which does not
        support tags and identities.
    """

    model_config = MODEL_CONFIG

    start_task: StartTaskField | None = None
    check_command: Text | None = None
    packages: bool = True
    task_slots: Annotated[int, Field(ge=1, le=MAX_TASK_SLOTS, strict=True)] = 1
    inter_node: bool = False
    subnet: SubnetId | None = None
    no_public_address: bool = False
    login_ports: LoginPorts = ()
    public_addresses: tuple[PublicAddressId, ...] = ()
    ip_families: tuple[Annotated[Literal["IPv4", "IPv6"], choice("IPv4", "IPv6")], ...] = ()
    ip_tags: dict[Text, Text] = {}
    accelerated_networking: bool = False
    mounts: tuple[Mount, ...] = ()
    mount_data_disks: MountPath = None
    user_accounts: tuple[UserAccount, ...] = ()
    application_packages: Annotated[dict[Text, Text | None], Field(max_length=MAX_PACKAGES)] = {}
    identities: tuple[IdentityId, ...] = ()
    node_fill: Annotated[Literal["spread", "pack"], choice("spread", "pack")] | None = None
    job_order: Annotated[Literal["none", "creationtime"], choice("none", "creationtime")] | None = None
    display_name: Annotated[Text, Field(max_length=MAX_DISPLAY_NAME)] | None = None
    metadata: NameValuePairs = {}
    tags: Annotated[dict[str, str], AfterValidator(check_resource_tags)] = {}
    api: Literal["arm", "batch"] = "arm"

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if found := [*_network_problems(self), *_name_problems(self), *_identity_problems(self)]:
            raise SpecError(
                "; ".join(one for one, _ in found), hint="; ".join(dict.fromkeys(hint for _, hint in found))
            )
        return self


# Invalid combinations: each is a problem and a hint.


def _network_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if node.no_public_address and node.subnet is None:
        yield "nodes without a public address need a subnet", "add --subnet; nodes in it must be able to reach Batch"
    if node.no_public_address and node.login_ports:
        # Source: Batch OpenAPI, inboundNATPools.
        yield "nodes without a public address cannot have login ports", "connect from their network; remove one option"
    if node.public_addresses and node.subnet is None:
        # Source: "Create an Azure Batch pool with specified public IP addresses" (Microsoft): prerequisites.
        yield "public_addresses needs a subnet", "add --subnet: Azure accepts own addresses only in a virtual network"
    if node.public_addresses and node.no_public_address:
        yield "public_addresses and no_public_address exclude each other", "remove one of them"
    if duplicate := first_duplicate([one.lower() for one in node.public_addresses]):
        yield f"the public address {duplicate.rpartition('/')[2]} is specified twice", "specify each address once"
    for name in ("ip_families", "ip_tags"):
        if getattr(node, name) and (node.public_addresses or node.no_public_address):
            yield f"{name} is for public addresses that Batch creates", f"remove {name}"
    if node.ip_families not in ((), ("IPv4",), ("IPv4", "IPv6")):
        yield "ip_families must be IPv4, or IPv4 and IPv6", "write `ip_families: [IPv4, IPv6]`"


def _name_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if duplicate := first_duplicate([mount.path.lower() for mount in node.mounts]):
        yield f"two mounts have the path {duplicate}", "use a different path for each"
    if duplicate := first_duplicate([account.name.lower() for account in node.user_accounts]):
        yield f"two user accounts have the name {duplicate}", "use a different name for each"
    user = node.start_task.user if node.start_task else None
    if user is not None and user not in {account.name for account in node.user_accounts}:
        yield f"the start task runs as {user}, but there is no such user account", "add it to user_accounts"
    accounts = {account.name for account in node.user_accounts if account.elevation == "nonadmin"}
    if node.mount_data_disks and user in accounts:
        yield f"the start task runs as {user}, who cannot mount data disks", f"set elevation: admin for {user}"


def _identity_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if node.api == "batch":
        for what in ("tags", "identities"):
            if getattr(node, what):
                yield f"--api batch does not support {what}: only Azure Resource Manager does", "remove one of them"
    assigned = {identity.lower() for identity in node.identities}
    for identity in _used_identities(node):
        if identity.lower() not in assigned:
            yield f"the pool does not have the identity {identity.rpartition('/')[2]}", "add its id to identities"


def _used_identities(node: NodeSpec) -> list[str]:
    files = node.start_task.resource_files if node.start_task else ()
    used = [file.identity for file in files]
    used += [mount.identity for mount in node.mounts if isinstance(mount, BlobMount)]
    used += [registry.identity for registry in node.container_registries]
    return [identity for identity in used if identity is not None]


def build_start_task(node: NodeSpec, os_type: str, luns: Sequence[int] = ()) -> StartTask | None:
    """Return a pool's start task, after the command that mounts data disks and before the check command.

    Batch runs command lines without a shell, so that several commands are combined with one.

    Parameters
    ----------
    node
        Properties of the nodes.
    os_type
        ``Linux`` or ``Windows``, in any case.
    luns
        LUNs of the data disks, if they are known.
    """
    task = node.start_task
    if node.check_command is None and node.mount_data_disks is None:
        return task
    mounts = [mount_script(os_type, node.mount_data_disks, luns)] if node.mount_data_disks else []
    checks = [node.check_command] if node.check_command else []
    command_lines = " && ".join([*mounts, *([task.command_line] if task else []), *checks])
    line = f'cmd /c "{command_lines}"' if os_type.lower() == "windows" else f"/bin/bash -c {shlex.quote(command_lines)}"
    # Without waiting for success, a node would accept tasks without its data, or before the check.
    changes: dict[str, object] = {"command_line": line, "wait_for_success": True}
    if mounts and not (task and task.user):
        changes["elevation"] = "admin"  # only an administrator can mount
    return (task or StartTask(command_line=line)).model_copy(update=changes)
