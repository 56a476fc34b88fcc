"""Virtual machines: read their state, and change them to create an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling, resources, tags
from batchimg_magics.core.azure.api_versions import api_version
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import Json, dig, parse_time, region_key, wire
from batchimg_magics.core.azure.polling import PollResult
from batchimg_magics.core.compute import disks, lineage
from batchimg_magics.core.compute.image_source import (
    STANDARD,
    Source,
    SourceDisk,
    controllers_of,
    encryption_of,
    plan_of,
)
from batchimg_magics.errors import ConflictError, LockError, NotFoundError, PolicyError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.core.azure.client import Azure

#: Median seconds. Source: recordings for deallocate; the others are assumed.
EXPECTED_S = {"make": 60.0, "start": 30.0, "deallocate": 45.0, "generalize": 1.0, "delete": 45.0}
#: The most seconds that an operation of another client, and one of our own, is waited for.
BUSY_TIMEOUT_S, OPERATION_TIMEOUT_S = 1800.0, 3600.0
#: How often tags are sent while other clients change the VM.
_MAX_TAG_TRIES = 4
#: What Azure answers while another run-command runs: a VM runs one at a time. Source: WALinuxAgent issue 3547.
_COMMAND_IN_PROGRESS = "run command extension execution is in progress"
_GENERALIZED = "OSState/generalized"
_POWER = "PowerState/"
_FINAL_STATES = frozenset({"succeeded", "failed", "canceled"})
_TRANSITIONAL_STATES = frozenset({"starting", "stopping", "deallocating"})


# -- reading -----------------------------------------------------------------------------------------------------


async def read(azure: Azure, vm: ResourceId) -> Json | None:
    """Return a VM's document with its instance view; None where it does not exist."""
    return await resources.read_or_none(azure, vm, **{"$expand": "instanceView"})


def power(found: Json) -> str:
    """Return a VM's power state, e.g. ``running``; empty where its document has none."""
    codes = (code for code in _codes(found) if code.startswith(_POWER))
    return next(codes, "").removeprefix(_POWER)


def is_generalized(found: Json) -> bool:
    """Tell whether Azure marks a VM generalized."""
    return _GENERALIZED in _codes(found)


def tag(found: Json, name: str) -> str | None:
    """Return one of a VM's tags."""
    value: str | None = dig(found, "tags", name)
    return value


def changed_at(found: Json) -> float | None:
    """Return the time of the last operation on a VM, e.g. a start: seconds since 1970, None where it is not known.

    Source: the instance view's statuses; the time of the provisioning state is that of the last operation.
    """
    times = [one.get("time") for one in dig(found, "properties", "instanceView", "statuses") or []]
    return max((time.timestamp() for time in map(parse_time, times) if time), default=None)


def _codes(found: Json) -> list[str]:
    return [str(status.get("code")) for status in dig(found, "properties", "instanceView", "statuses") or []]


async def wait_until_idle(azure: Azure, vm: ResourceId) -> Json:
    """Wait until no operation runs on a VM, and return its document.

    Raises
    ------
    NotFoundError
        The VM does not exist.
    WaitTimeoutError
        An operation takes too long.
    """

    async def poll() -> PollResult[Json]:
        found = await read_existing(azure, vm)
        return PollResult(is_idle(found), found)

    return await polling.poll_until(azure, poll, what=f"operations on VM {vm.name}", timeout_s=BUSY_TIMEOUT_S)


async def wait_for_power(azure: Azure, vm: ResourceId) -> Json:
    """Wait until a VM is neither starting nor stopping, and return its document; a run-command may run on it.

    Raises
    ------
    NotFoundError
        The VM does not exist.
    WaitTimeoutError
        It takes too long.
    """

    async def poll() -> PollResult[Json]:
        found = await read_existing(azure, vm)
        return PollResult(power(found) not in _TRANSITIONAL_STATES, found)

    return await polling.poll_until(azure, poll, what=f"start or stop of VM {vm.name}", timeout_s=BUSY_TIMEOUT_S)


def is_idle(found: Json) -> bool:
    """Tell whether a VM's document shows that no operation runs on it."""
    # A failed state, perhaps of an extension, does not prevent the next operation.
    changing = str(dig(found, "properties", "provisioningState")).lower() not in _FINAL_STATES
    return not changing and power(found) not in _TRANSITIONAL_STATES


async def read_existing(azure: Azure, vm: ResourceId) -> Json:
    """Return a VM's document with its instance view.

    Raises
    ------
    NotFoundError
        The VM does not exist.
    """
    found = await read(azure, vm)
    if found is None:
        raise NotFoundError(
            f"VM {vm.name!r} does not exist any more", hint="run the same command again", status_code=404
        )
    return found


# -- changing ----------------------------------------------------------------------------------------------------


async def create_vm(azure: Azure, vm: ResourceId, body: Json) -> None:
    """Create a VM and wait for it.

    Raises
    ------
    ConflictError
        Azure refused the request, e.g. because of a quota.
    ProvisioningError
        Azure accepted the request and the creation failed.
    """
    begin = azure.compute_for(vm).virtual_machines.begin_create_or_update(
        vm.resource_group, vm.name, wire(body), **polling.NO_POLLING
    )
    await polling.create_and_wait(azure, begin, what=f"VM {vm.name}", resource_id=str(vm))


async def wait_until_created(azure: Azure, vm: ResourceId) -> None:
    """Wait for a VM that an interrupted run began to create; a run-command on it may have no end.

    Raises
    ------
    ProvisioningError
        The creation failed.
    """

    async def read_vm() -> Json:
        found = await read_existing(azure, vm)
        changing = str(dig(found, "properties", "provisioningState")).lower() == "updating"
        return {**found, "properties": {"provisioningState": "Succeeded"}} if changing else found

    await polling.wait_until_provisioned(azure, read_vm, what=f"VM {vm.name}")


async def start(azure: Azure, vm: ResourceId) -> bool:
    """Start a VM unless it is running; return whether it was started."""
    if power(await wait_for_power(azure, vm)) == "running":
        return False
    await _change(azure, vm, azure.compute_for(vm).virtual_machines.begin_start, "starting")
    return True


async def deallocate(azure: Azure, vm: ResourceId) -> bool:
    """Deallocate a VM unless it is deallocated; return whether it was.

    A run-command that never ends does not prevent it.
    """
    if power(await wait_for_power(azure, vm)) == "deallocated":
        return False
    await _change(azure, vm, azure.compute_for(vm).virtual_machines.begin_deallocate, "deallocating")
    return True


async def begin_deallocation(azure: Azure, vm: ResourceId) -> None:
    """Send the request to deallocate a VM, and do not wait for its end."""
    call = azure.compute_for(vm).virtual_machines.begin_deallocate(vm.resource_group, vm.name, **polling.NO_POLLING)
    await polling.begin_operation(azure, call)


async def _change(azure: Azure, vm: ResourceId, begin: Callable[..., Awaitable[Any]], doing: str) -> None:
    """Begin an operation on a VM, as soon as an operation of another client allows it, and wait for its end."""
    what, refusals = f"{doing} VM {vm.name}", 0

    async def attempt() -> PollResult[polling.Operation | None]:
        nonlocal refusals
        try:
            call = begin(vm.resource_group, vm.name, **polling.NO_POLLING)
            return PollResult(done=True, value=await polling.begin_operation(azure, call))
        except LockError:
            raise
        except ConflictError:
            # The other operation may end between the refusal and the read: a second refusal has another cause.
            refusals += 1
            if is_idle(await read_existing(azure, vm)) and refusals > 1:
                raise
            return PollResult(done=False, value=None)

    operation = await polling.poll_until(azure, attempt, what=what, timeout_s=BUSY_TIMEOUT_S)
    if operation is not None:
        await polling.wait_for_operation(
            azure, operation, what=what, resource_id=str(vm), timeout_s=OPERATION_TIMEOUT_S
        )


async def generalize(azure: Azure, vm: ResourceId) -> bool:
    """Mark a VM generalized in Azure unless it is; return whether it was marked."""
    if is_generalized(await wait_until_idle(azure, vm)):
        return False
    await azure.call(azure.compute_for(vm).virtual_machines.generalize(vm.resource_group, vm.name))
    return True


async def set_tags(azure: Azure, vm: ResourceId, changed: Mapping[str, str | None]) -> None:
    """Change single tags of a VM; None removes a tag. Azure replaces all tags, so the others are sent too.

    A policy may deny any change of a VM without the tags that it demands: then those of the connection are added.
    """
    for tries_left in reversed(range(_MAX_TAG_TRIES)):
        merged = {**((await wait_until_idle(azure, vm)).get("tags") or {}), **changed}
        try:
            await _send_tags(azure, vm, {name: value for name, value in merged.items() if value is not None})
        except ConflictError as error:
            # Somebody changes the VM; or an earlier request was handled, and its answer was lost.
            if not was_faster(error) or not tries_left:
                raise
        else:
            return


async def _send_tags(azure: Azure, vm: ResourceId, wanted: dict[str, str]) -> None:
    async def send(new: Mapping[str, str]) -> None:
        begin = azure.compute_for(vm).virtual_machines.begin_update(
            vm.resource_group, vm.name, wire({"tags": dict(new)}), **polling.NO_POLLING
        )
        what, operation = f"tags of VM {vm.name}", await polling.begin_operation(azure, begin)
        await polling.wait_for_operation(azure, operation, what=what, resource_id=str(vm))

    try:
        await send(wanted)
    except PolicyError:
        more = tags.combined(azure.resource_tags, wanted)
        if more == wanted:
            raise
        await send(more)


async def begin_script(azure: Azure, vm: ResourceId, command: str, script: list[str]) -> polling.Operation:
    """Start a script in a VM with run-command, and return the operation: its output has the result of the script.

    Parameters
    ----------
    azure, vm
        The connection, and the id of the VM.
    command
        ``RunShellScript`` or ``RunPowerShellScript``.
    script
        Its lines.
    """
    # The SDK's own call reads the first response, which has no body, as the result.
    url = f"{vm}/runCommand?api-version={api_version(vm)}"
    return polling.Operation.from_response(await azure.send("POST", url, {"commandId": command, "script": script}))


def is_command_in_progress(error: ConflictError) -> bool:
    """Tell whether Azure refused a run-command because another one runs on the VM."""
    return _COMMAND_IN_PROGRESS in error.message.lower()


async def delete(azure: Azure, vm: ResourceId) -> None:
    """Delete a VM and wait until it is deleted."""
    begin = azure.compute_for(vm).virtual_machines.begin_delete(vm.resource_group, vm.name, **polling.NO_POLLING)
    await polling.delete_and_wait(azure, begin, what=f"VM {vm.name}", resource_id=str(vm))


async def find_vm(azure: Azure, name: str) -> Json:
    """Return a VM's document with its instance view.

    Parameters
    ----------
    azure
        The connection.
    name
        The VM's name in the connection's resource group, or its resource id.

    Raises
    ------
    NotFoundError
        The VM does not exist.
    SpecError
        The id is not the id of a VM.
    """
    target = ResourceId.parse(name) if "/" in name else azure.scope.compute_id(("virtualMachines", name))
    if target.type.lower() != "microsoft.compute/virtualmachines":
        raise SpecError(f"{name} is not a VM", hint="give a VM's name or its resource id")
    found = await read(azure, target)
    if found is None:
        listed = await resources.read_list(azure, f"{target.group}/providers/{target.type}")
        known = [vm["name"] for vm in listed]
        raise NotFoundError(
            f"there is no VM {target.name!r} in resource group {target.resource_group!r}",
            hint=suggest_name(target.name, known) or "`%batchimg vms` lists them",
            status_code=404,
        )
    return found


async def read_source(azure: Azure, vm: Json) -> Source:
    """Return the image source that a VM is, from its document and its OS disk's.

    Raises
    ------
    NotFoundError
        The OS disk does not exist.
    """
    return source_of_vm(vm, await _read_os_disk(azure, vm))


async def _read_os_disk(azure: Azure, vm: Json) -> Json:
    """Return the document of a VM's OS disk; empty where it is not a managed disk."""
    disk_id = dig(vm, "properties", "storageProfile", "osDisk", "managedDisk", "id")
    if disk_id is None:
        return {}
    disk = ResourceId.parse(disk_id)
    found = await disks.read_disk_cached(azure, disk)
    if found is None:
        raise NotFoundError(
            f"the OS disk of VM {vm['name']!r} does not exist: {disk.name}",
            hint="no image can be made of a VM without its OS disk",
            status_code=404,
        )
    return found


def source_of_vm(vm: Json, os_disk: Json) -> Source:
    """Return the image source that a VM is, given its document and its OS disk's."""
    props = vm["properties"]
    storage = props["storageProfile"]
    disks, unmanaged = _disks(storage)
    security = (
        dig(props, "securityProfile", "securityType") or dig(os_disk, "properties", "securityProfile", "securityType")
    ) or STANDARD
    return Source(
        id=vm["id"],
        unique_id=str(props.get("vmId", "")),
        region=region_key(vm["location"]),
        os_type=str(dig(storage, "osDisk", "osType") or dig(os_disk, "properties", "osType")),
        generation=_generation(props, os_disk),
        architecture=str(dig(os_disk, "properties", "supportedCapabilities", "architecture") or "x64"),
        security_type="ConfidentialVM" if security.lower().startswith("confidentialvm") else security,
        uefi=dig(props, "securityProfile", "uefiSettings"),
        marketplace=lineage.marketplace_image_of(vm) or lineage.marketplace_image_of(os_disk),
        generalized=is_generalized(vm),
        disks=disks,
        unmanaged=unmanaged,
        plan=plan_of(vm, os_disk),
        controllers=controllers_of(os_disk),
        encryption=encryption_of(vm, os_disk),
    )


def _generation(props: Json, os_disk: Json) -> str:
    """Return the Hyper-V generation: of the OS disk, else of the instance view, else V1, the default of Azure."""
    return str(dig(os_disk, "properties", "hyperVGeneration") or dig(props, "instanceView", "hyperVGeneration") or "V1")


def _disks(storage: Json) -> tuple[tuple[SourceDisk, ...], tuple[str, ...]]:
    managed, unmanaged = [], []
    data = sorted(storage.get("dataDisks") or [], key=lambda disk: int(disk["lun"]))
    for disk in (storage["osDisk"], *data):
        if disk_id := dig(disk, "managedDisk", "id"):
            lun = None if disk is storage["osDisk"] else int(disk["lun"])
            managed.append(SourceDisk(disk_id, lun, str(disk.get("caching") or "None")))
        else:
            unmanaged.append(str(disk.get("name")))
    return tuple(managed), tuple(unmanaged)
