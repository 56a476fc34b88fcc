"""What a node of a pool is: all that makes two pools' nodes different things."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.access import ContainerRegistry, LoginPorts, UserAccount
from batchimg_magics.pool_spec.base import MODEL_CONFIG, IdentityId, SubnetId, Text
from batchimg_magics.pool_spec.mounts import BlobMount, Mount
from batchimg_magics.pool_spec.start_task import StartTask, StartTaskField

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

__all__ = ["RESERVED_PREFIX", "NodeSpec"]

# Source of these: Batch OpenAPI: taskSlotsPerNode; "a maximum of 10 Package references"; Compute: OS disks.
MAX_TASK_SLOTS, MAX_PACKAGES, MAX_OS_DISK_GIB = 256, 10, 4_095
#: How this tool's own marks begin.
RESERVED_PREFIX = "batchimg-"


def _check_names(pairs: Mapping[str, str]) -> Mapping[str, str]:
    for name in pairs:
        if name.lower().startswith(RESERVED_PREFIX):
            raise SpecError(
                f"{name!r} is a name of this tool's own", hint=f"names that begin with {RESERVED_PREFIX} are"
            )
    return pairs


#: Names with texts that go onto the pool.
NameValuePairs = Annotated[dict[Text, str], AfterValidator(_check_names)]


class NodeSpec(BaseModel):
    """What a pool's nodes are.

    Parameters
    ----------
    vm_size
        Their VM size, e.g. ``Standard_D4s_v5``.
    start_task
        A command line that each node runs before it takes tasks, or all of a `StartTask`.
    check_command
        A command that proves, after the start task, that the software is there: a node where it fails takes no tasks.
    task_slots
        Tasks that run on a node at once, 1 to 256 and at most four times its cores.
    inter_node
        Whether the nodes talk to each other, as MPI needs it; Azure then makes smaller pools.
    subnet
        Resource id of the subnet that the nodes join.
    no_public_address
        Whether they have none; they need a subnet then.
    login_ports
        Ports that are reached from outside, or all of `LoginPort`s.
    os_disk_gib, os_disk_type
        Size of the OS disk, at least the image's, and ``Standard_LRS``, ``StandardSSD_LRS`` or ``Premium_LRS``.
    mounts
        File systems that are mounted on each node.
    container_images, container_registries
        Container images that are pulled onto each node first, and where from.
    user_accounts
        Users on each node.
    application_packages
        Applications of the Batch account that are put on each node: name to version, None for its default.
    identities
        Resource ids of user-assigned identities that the nodes may act as.
    metadata, tags
        Names and texts of your own on the pool; tags are ARM's and count in its bills.
    through
        ``arm``, or ``batch``: make the pool through the Batch service's data plane, which has no tags and identities.
    """

    model_config = MODEL_CONFIG

    vm_size: Text
    start_task: StartTaskField | None = None
    check_command: Text | None = None
    task_slots: Annotated[int, Field(ge=1, le=MAX_TASK_SLOTS, strict=True)] = 1
    inter_node: bool = False
    subnet: SubnetId | None = None
    no_public_address: bool = False
    login_ports: LoginPorts = ()
    os_disk_gib: Annotated[int, Field(ge=1, le=MAX_OS_DISK_GIB, strict=True)] | None = None
    os_disk_type: Literal["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"] | None = None
    mounts: tuple[Mount, ...] = ()
    container_images: tuple[Text, ...] = ()
    container_registries: tuple[ContainerRegistry, ...] = ()
    user_accounts: tuple[UserAccount, ...] = ()
    application_packages: Annotated[dict[Text, Text | None], Field(max_length=MAX_PACKAGES)] = {}
    identities: tuple[IdentityId, ...] = ()
    metadata: NameValuePairs = {}
    tags: NameValuePairs = {}
    api: Literal["arm", "batch"] = "arm"

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        for problem, hint in (*_network_problems(self), *_name_problems(self), *_identity_problems(self)):
            raise SpecError(problem, hint=hint)
        return self


# What does not go together, each with what to do.


def _network_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if node.no_public_address and node.subnet is None:
        yield "nodes without a public address need a subnet", "give --subnet; from there they have to reach Batch"
    if node.no_public_address and node.login_ports:
        # Source: Batch OpenAPI, inboundNATPools.
        yield "nodes without a public address have no login ports", "log in from their network, or leave one out"


def _name_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if node.container_registries and not node.container_images:
        yield "there are container registries and no container images", "give container_images"
    if twice := _first_duplicate([mount.path.lower() for mount in node.mounts]):
        yield f"two mounts have the path {twice}", "each has its own"
    if twice := _first_duplicate([account.name.lower() for account in node.user_accounts]):
        yield f"two user accounts are called {twice}", "each has its own name"
    user = node.start_task.user if node.start_task else None
    if user is not None and user not in {account.name for account in node.user_accounts}:
        yield f"the start task runs as {user}, and there is no such user account", "add it to user_accounts"


def _identity_problems(node: NodeSpec) -> Iterator[tuple[str, str]]:
    if node.api == "batch":
        for what in ("tags", "identities"):
            if getattr(node, what):
                yield f"--api batch has no {what}: only Azure Resource Manager has them", "leave one of them out"
    known = {identity.lower() for identity in node.identities}
    for identity in _used_identities(node):
        if identity.lower() not in known:
            yield f"the nodes do not have the identity {identity.rpartition('/')[2]}", "add its id to identities"


def _first_duplicate(names: list[str]) -> str:
    return next((name for place, name in enumerate(names) if name in names[:place]), "")


def _used_identities(node: NodeSpec) -> list[str]:
    files = node.start_task.resource_files if node.start_task else ()
    found = [file.identity for file in files]
    found += [mount.identity for mount in node.mounts if isinstance(mount, BlobMount)]
    found += [registry.identity for registry in node.container_registries]
    return [identity for identity in found if identity is not None]


def build_start_task(node: NodeSpec, os_type: str) -> StartTask | None:
    """Return a pool's start task, with its check command after it; None where there is neither.

    Batch runs command lines without a shell, so that joining two takes one.

    Parameters
    ----------
    shape
        What the nodes are.
    os_type
        ``Linux`` or ``Windows``, in any case.
    """
    task = node.start_task
    if node.check_command is None:
        return task
    command_lines = " && ".join([*([task.command_line] if task else []), node.check_command])
    line = f'cmd /c "{command_lines}"' if os_type.lower() == "windows" else f"/bin/bash -c {shlex.quote(command_lines)}"
    if task is None:
        return StartTask(command_line=line)
    # A node that need not wait for it would take tasks without the proof.
    return task.model_copy(update={"command_line": line, "wait_for_success": True})
