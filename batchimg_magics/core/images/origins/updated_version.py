"""From an image version and commands: a temporary VM is made from the version, and the commands run in it.

The steps: a security group, a VM from the version, the commands, generalize it inside the VM, deallocate it, mark it
generalized. Its disks are the disks of the new version. Its account has a key that nobody has: it is made for the
request and forgotten. The VM has no public address, and nothing reaches it.
"""

from __future__ import annotations

import dataclasses
import secrets
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, tags
from batchimg_magics.core.azure.documents import dig, without_empty
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.batch.machine_request import DEFAULT_ENCRYPTION
from batchimg_magics.core.compute import security_groups, virtual_machines
from batchimg_magics.core.compute.image_source import STANDARD, SourceDisk
from batchimg_magics.core.compute.storage_profile import ImageDisk, StorageProfile
from batchimg_magics.core.images import copy_size, temporary, temporary_vm, update_commands
from batchimg_magics.core.images.deprovision import Deprovisioning, is_unlisted, is_unproven
from batchimg_magics.core.images.origins.origin import BuildContext, BuildPlan, ImageOrigin
from batchimg_magics.core.images.origins.vm_in_place import generalize_steps
from batchimg_magics.core.images.temporary import TemporaryNames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.update_commands import UserCommand

__all__ = ["UpdatedVersion"]

#: The account that Azure makes in the VM, and that generalizing removes.
_USER = "batchimg"
_DISK_TYPE = "StandardSSD_LRS"
_BEGUN, _DONE = "begun", "done"


class UpdatedVersion(ImageOrigin):
    """An image version in which commands run.

    Parameters
    ----------
    version, source
        The version's document, and its properties.
    commands
        The commands.
    subnet, size, asked_size
        The subnet of the VM, the VM size of the pool, and the size that the user asked for.
    uefi
        The UEFI settings of the pool's nodes.
    """

    def __init__(
        self,
        version: Json,
        source: Source,
        commands: Sequence[UserCommand],
        *,
        subnet: str,
        size: str,
        asked_size: str | None,
        uefi: Json | None,
    ) -> None:
        super().__init__(source)
        self.version = version
        self.commands = tuple(commands)
        self.subnet = subnet
        self.asked_size = asked_size
        self.uefi = uefi
        self.kind = f"update {commands_hash(commands)}"
        data = dig(version, "properties", "storageProfile", "dataDiskImages") or []
        self.sizes = {int(one["lun"]): one.get("sizeInGB") for one in data}
        self.disks = (SourceDisk("", None, "ReadWrite"), *(SourceDisk("", lun, "None") for lun in sorted(self.sizes)))
        #: As much of a VM as the choice of a size needs.
        self.vm: Json = {
            "id": str(version["id"]),
            "location": source.region,
            "properties": {"hardwareProfile": {"vmSize": size}},
        }

    async def has_leftovers(self, azure: Azure, pool: str) -> bool:
        """Tell whether temporary resources of an earlier run exist."""
        return bool(await temporary.list_temporary(azure, pool))

    async def read_sizes(self, azure: Azure) -> copy_size.CopySizes:
        """Return the sizes for the VM."""
        source = dataclasses.replace(self.source, disks=self.disks)
        return await copy_size.read_copy_sizes(azure, self.vm, source, self.asked_size)

    def plan(self, context: BuildContext) -> BuildPlan:
        """Return the steps that produce the disks of the image."""
        names = TemporaryNames(context.azure, context.pool, context.image)
        work = dataclasses.replace(context, tags=temporary.temporary_tags(context.tags))
        fence = self._fence_step(work, names)
        machine = self._vm_step(work, names, fence.name)
        commands = [self._command_step(context, names, place) for place in range(len(self.commands))]
        wanted = Deprovisioning(names.vm, self.source.os_type, context.image)
        last = generalize_steps(context.azure, wanted, after=(commands[-1].name,))
        disks = tuple(ImageDisk(disk.lun, disk.caching, str(names.disk(disk))) for disk in self.disks)
        steps = (fence, machine, *commands, *last)
        return BuildPlan(StorageProfile(disks), steps, (last[-1].name,), has_temporary=True)

    def _fence_step(self, work: BuildContext, names: TemporaryNames) -> Step:
        body = security_groups.fence_body(self.source.region, dict(work.tags), internet=True)
        why = "the temporary VM reaches package servers, and nothing reaches it"
        return temporary_vm.fence_step(work.azure, names.fence, body, why)

    def _vm_step(self, work: BuildContext, names: TemporaryNames, before: str) -> Step:
        return temporary_vm.vm_step(
            work.azure,
            names.vm,
            (before,),
            f"a VM from image version {self.version['name']}",
            is_usable=lambda found: self._is_usable(found, work.image),
            # A command may have run in part: it starts again on the image as it is. The disks go with the VM.
            discard=partial(temporary.delete_vm, work.azure, names.vm),
            create=partial(self._create_vm, work, names),
        )

    def _is_usable(self, found: Json, image: str) -> bool:
        """Tell whether the VM of an interrupted run can be used: its commands have not begun, or are all done."""
        state = virtual_machines.tag(found, tags.COMMANDS)
        is_lost = is_unproven(found, image) or is_unlisted(found, image)
        return not temporary_vm.has_failed(found) and not is_lost and state in (None, f"{_DONE} {image}")

    async def _create_vm(self, work: BuildContext, names: TemporaryNames) -> str:
        """Create the VM in a size that Azure has, and return the size."""
        sizes = await self.read_sizes(work.azure)
        copy_size.raise_if_unusable(sizes, names.vm)
        return await temporary_vm.create_in_some_size(work.azure, names.vm, sizes, partial(self._vm_body, work, names))

    def _vm_body(self, work: BuildContext, names: TemporaryNames, size: str) -> Json:
        def made(disk: SourceDisk) -> Json:
            lun: Json = {}
            if disk.lun is not None:
                lun = without_empty({"lun": disk.lun, "diskSizeGB": self.sizes[disk.lun]})
            managed: Json = {"storageAccountType": _DISK_TYPE}
            if disk.lun is None and self.source.security_type == "ConfidentialVM":
                kind = self.source.encryption or DEFAULT_ENCRYPTION
                managed["securityProfile"] = {"securityEncryptionType": kind}
            # Azure deletes them with the VM, and gives them its tags.
            return {
                **lun,
                "name": names.disk(disk).name,
                "createOption": "FromImage",
                "caching": disk.caching,
                "deleteOption": "Delete",
                "managedDisk": managed,
            }

        os_disk, *data = self.disks
        storage: Json = {"imageReference": {"id": str(self.version["id"])}, "osDisk": made(os_disk)}
        network = temporary.interface_body(names, self.subnet, dict(work.tags))
        props: Json = {
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {**storage, "dataDisks": [made(disk) for disk in data]},
            "osProfile": _os_profile(self.source.os_type),
            "networkProfile": {
                "networkApiVersion": api_versions.INLINE_NETWORK,
                "networkInterfaceConfigurations": [network],
            },
        }
        if self.source.security_type != STANDARD:
            uefi = self.uefi or {"secureBootEnabled": True, "vTpmEnabled": True}
            props["securityProfile"] = {"securityType": self.source.security_type, "uefiSettings": uefi}
        plan = {"plan": self.source.plan} if self.source.plan else {}
        return {"location": self.source.region, "tags": dict(work.tags), **plan, "properties": props}

    def _command_step(self, context: BuildContext, names: TemporaryNames, place: int) -> Step:
        azure, command, image = context.azure, self.commands[place], context.image
        name = command_step_name(self.commands, place)
        before = temporary_vm.VM_STEP if place == 0 else command_step_name(self.commands, place - 1)

        async def run(_: Mapping[str, StepResult]) -> StepResult:
            found = await virtual_machines.read_existing(azure, names.vm)
            if virtual_machines.tag(found, tags.COMMANDS) == f"{_DONE} {image}":
                return StepResult("exists", detail="it ran before the interruption")
            if place == 0:
                await virtual_machines.set_tags(azure, names.vm, {tags.COMMANDS: f"{_BEGUN} {image}"})
            told = await update_commands.run_command(azure, names.vm, self.source.os_type, command)
            if place == len(self.commands) - 1:
                await virtual_machines.set_tags(azure, names.vm, {tags.COMMANDS: f"{_DONE} {image}"})
            return StepResult("changed", detail=told)

        return Step(
            name, names.vm, run, (before,), update_commands.EXPECTED_S, command.shown, planned_action="would change"
        )


def commands_hash(commands: Sequence[UserCommand]) -> str:
    """Return the hash of commands: a version has it as a tag, never the commands themselves."""
    return tags.digest([[one.interpreter, one.text] for one in commands])


def command_step_name(commands: Sequence[UserCommand], place: int) -> str:
    """Return the name of the step of a command."""
    return "command" if len(commands) == 1 else f"command {place + 1}"


def _os_profile(os_type: str) -> Json:
    """Return the account of the VM: with a key or a password that nobody has."""
    if os_type == "Windows":
        # Azure wants three of four kinds of signs.
        return {"computerName": "update", "adminUsername": _USER, "adminPassword": f"aA1-{secrets.token_urlsafe(48)}"}
    return {
        "computerName": "update",
        "adminUsername": _USER,
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": f"/home/{_USER}/.ssh/authorized_keys", "keyData": _forgotten_key()}]},
        },
    }


def _forgotten_key() -> str:
    """Return the public part of a new key, whose private part is kept nowhere."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
