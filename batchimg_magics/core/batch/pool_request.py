"""The body of a request that creates a pool, for Azure Resource Manager and for the data plane.

A body is built for Azure Resource Manager, with references in place of secrets; `data_plane_body` converts it. The
values of secrets are inserted when the request is sent. Ownership tags are metadata, which both planes show, and tags.

Source: the models of azure-mgmt-batch 19 and azure-batch 15.1 (api-version 2025-06-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.pool_spec.mounts import BlobMount, CifsMount, FilesMount
from batchimg_magics.pool_spec.node import build_start_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.pools import PoolImage
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.pool_spec.access import ContainerRegistry, LoginPort, UserAccount
    from batchimg_magics.pool_spec.mounts import Mount
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.pool_spec.start_task import ResourceFile, StartTask
    from batchimg_magics.resource_ids import ResourceId

#: Security types of VMs and image definitions to those of pools in Azure Resource Manager.
_SECURITY = {"TrustedLaunch": "trustedLaunch", "ConfidentialVM": "confidentialVM"}
_ELEVATION = {"nonadmin": "NonAdmin", "admin": "Admin"}
#: First priority of the rules of login ports. Source: Batch OpenAPI: unique in a pool, 150 to 4096, the lowest wins.
_FIRST_PRIORITY = 150


def pool_body(spec: PoolSpec, source: Source, image: PoolImage, agent: str, size: str, account: ResourceId) -> Json:
    """Return the document of a pool without nodes in Azure Resource Manager.

    Parameters
    ----------
    spec, source
        The spec of the pool, and the source of its image.
    image
        The image of the pool.
    agent, size
        Node agent SKU, and the VM size as Azure spells it.
    account
        The id of the Batch account.
    """
    props: Json = {
        "vmSize": size,
        "deploymentConfiguration": {"virtualMachineConfiguration": _machine(spec, source, image.id, agent)},
        "taskSlotsPerNode": spec.task_slots,
        "interNodeCommunication": "Enabled" if spec.inter_node else "Disabled",
        "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}},
        "networkConfiguration": _network(spec),
        "startTask": _start_task(task) if (task := build_start_task(spec, source.os_type)) else None,
        "mountConfiguration": [_mount(mount) for mount in spec.mounts],
        "userAccounts": [_user(user) for user in spec.user_accounts],
        "applicationPackages": [
            _without_empty({"id": str(account.child("applications", name)), "version": version})
            for name, version in spec.application_packages.items()
        ],
    }
    props = _without_empty(props)
    tool_entries = {
        tags.POOL: spec.name,
        tags.IMAGE: image.hash,
        tags.SPEC: tags.digest(props),
        **tags.tool_tags(),
    }
    props["metadata"] = [{"name": name, "value": value} for name, value in {**tool_entries, **spec.metadata}.items()]
    whole: Json = {"properties": props, "tags": {**tool_entries, **spec.tags}}
    if spec.identities:
        whole["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in spec.identities}}
    return whole


def _without_empty(pairs: Mapping[str, Any]) -> Json:
    """Return the pairs with a value. A missing property has Azure's default; null is not always the same."""
    return {name: value for name, value in pairs.items() if value not in (None, (), [], {})}


def _identity(identity: str | None) -> Json | None:
    return {"resourceId": identity} if identity else None


def _machine(spec: PoolSpec, source: Source, image_id: str, agent: str) -> Json:
    machine: Json = {"imageReference": {"id": image_id}, "nodeAgentSkuId": agent}
    if source.security_type in _SECURITY:
        # An image of a TrustedLaunch VM needs TrustedLaunch nodes, and the pool must declare it.
        machine["securityProfile"] = {
            "securityType": _SECURITY[source.security_type],
            "uefiSettings": source.uefi or {"secureBootEnabled": True, "vTpmEnabled": True},
        }
    disk = {"diskSizeGB": spec.os_disk_gib, "managedDisk": _without_empty({"storageAccountType": spec.os_disk_type})}
    machine["osDisk"] = _without_empty(disk)
    if spec.container_images:
        machine["containerConfiguration"] = _without_empty(
            {
                "type": "DockerCompatible",
                "containerImageNames": list(spec.container_images),
                "containerRegistries": [_registry(one) for one in spec.container_registries],
            }
        )
    return _without_empty(machine)


def _registry(registry: ContainerRegistry) -> Json:
    return _without_empty(
        {
            "registryServer": registry.server,
            "username": registry.user,
            "password": registry.password,
            "identityReference": _identity(registry.identity),
        }
    )


# -- network -----------------------------------------------------------------------------------------------------


def _network(spec: PoolSpec) -> Json:
    ports: list[Json] = []
    rules = 0
    for port in spec.login_ports:
        ports.append(_nat_pool(port, _FIRST_PRIORITY + rules))
        rules += len(ports[-1].get("networkSecurityGroupRules", ()))
    return _without_empty(
        {
            "subnetId": spec.subnet,
            "publicIPAddressConfiguration": {"provision": "NoPublicIPAddresses"} if spec.no_public_address else None,
            "endpointConfiguration": {"inboundNatPools": ports} if ports else None,
        }
    )


def _nat_pool(port: LoginPort, priority: int) -> Json:
    """Return an inbound NAT pool. Where sources are restricted, the last rule denies all others."""
    sources = [("Allow", one) for one in port.allow] + ([("Deny", "*")] if port.allow else [])
    rules = [
        {"priority": priority + place, "access": access, "sourceAddressPrefix": source}
        for place, (access, source) in enumerate(sources)
    ]
    return _without_empty(
        {
            "name": port.nat_pool_name,
            "protocol": port.protocol.upper(),
            "backendPort": port.port,
            "frontendPortRangeStart": port.first,
            "frontendPortRangeEnd": port.last,
            "networkSecurityGroupRules": rules,
        }
    )


# -- start task, mounts, users -----------------------------------------------------------------------------------


def _start_task(task: StartTask) -> Json:
    automatic = {"autoUser": {"scope": "Pool", "elevationLevel": _ELEVATION[task.elevation]}}
    return _without_empty(
        {
            "commandLine": task.command_line,
            "userIdentity": {"userName": task.user} if task.user else automatic,
            "environmentSettings": [{"name": name, "value": value} for name, value in task.environment.items()],
            "resourceFiles": [_resource_file(file) for file in task.resource_files],
            "maxTaskRetryCount": task.retries,
            "waitForSuccess": task.wait_for_success,
        }
    )


def _resource_file(file: ResourceFile) -> Json:
    return _without_empty(
        {
            "httpUrl": file.url,
            "storageContainerUrl": file.container_url,
            "autoStorageContainerName": file.container,
            "filePath": file.path,
            "blobPrefix": file.prefix,
            "fileMode": file.mode,
            "identityReference": _identity(file.identity),
        }
    )


def _mount(mount: Mount) -> Json:
    if isinstance(mount, BlobMount):
        inner: Json = {
            "accountName": mount.account,
            "containerName": mount.container,
            "accountKey": mount.key,
            "sasKey": mount.sas,
            "identityReference": _identity(mount.identity),
            "blobfuseOptions": mount.options,
        }
        kind = "azureBlobFileSystemConfiguration"
    elif isinstance(mount, FilesMount):
        inner = {"accountName": mount.account, "azureFileUrl": mount.url, "accountKey": mount.key}
        kind = "azureFileShareConfiguration"
    elif isinstance(mount, CifsMount):
        inner = {"source": mount.source, "userName": mount.user, "password": mount.password}
        kind = "cifsMountConfiguration"
    else:
        inner, kind = {"source": mount.source}, "nfsMountConfiguration"
    options = {} if isinstance(mount, BlobMount) else {"mountOptions": mount.options}
    return {kind: _without_empty({**inner, **options, "relativeMountPath": mount.path})}


def _user(user: UserAccount) -> Json:
    return _without_empty(
        {
            "name": user.name,
            "password": user.password,
            "elevationLevel": _ELEVATION[user.elevation],
            "linuxUserConfiguration": _without_empty(
                {"uid": user.uid, "gid": user.gid, "sshPrivateKey": user.ssh_private_key}
            ),
            "windowsUserConfiguration": _without_empty({"loginMode": user.login_mode and user.login_mode.capitalize()}),
        }
    )


# -- the data plane ----------------------------------------------------------------------------------------------

#: Names of properties in Azure Resource Manager to those of the data plane, at any depth.
_NAMES = {
    "nodeAgentSkuId": "nodeAgentSKUId",
    "inboundNatPools": "inboundNATPools",
    "userName": "username",
}
#: Properties whose values are lower case on the data plane, but for one security type.
_LOWER_CASE = frozenset(
    {"access", "elevationLevel", "loginMode", "protocol", "provision", "scope", "securityType", "storageAccountType"}
)
_FIXED_SPELLING = {"trustedlaunch": "trustedLaunch"}


def data_plane_body(whole: Json, name: str | None = None) -> Json:
    """Return a pool's document, or a part of one, as a body of the data plane, without what it does not have.

    Parameters
    ----------
    whole
        The document in Azure Resource Manager.
    name
        The name of the pool, for a body that creates it; else None.
    """
    props = dict(whole["properties"])
    scale = dig(props.pop("scaleSettings", {}), "fixedScale") or {}
    machine = dig(props.pop("deploymentConfiguration", {}), "virtualMachineConfiguration")
    linked = props.pop("interNodeCommunication", None)
    packages = props.pop("applicationPackages", None)
    body: Json = {"id": name, **props, **scale}
    if machine is not None:
        image = {"virtualMachineImageId": machine["imageReference"]["id"]}
        body["virtualMachineConfiguration"] = {**machine, "imageReference": image}
    if linked is not None:
        body["enableInterNodeCommunication"] = linked == "Enabled"
    if packages is not None:
        renamed = [{"applicationId": one["id"], **_without_empty({"version": one.get("version")})} for one in packages]
        body["applicationPackageReferences"] = renamed
    converted: Json = _convert({key: value for key, value in body.items() if value is not None})
    return converted


def _convert(value: Any, under: str = "") -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {_NAMES.get(name, name): _convert(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_convert(one, under) for one in value]
    if under in _LOWER_CASE and isinstance(value, str):
        return _FIXED_SPELLING.get(value.lower(), value.lower())
    # The type of containers has only its first letter in lower case: dockerCompatible.
    return value[0].lower() + value[1:] if under == "type" and isinstance(value, str) else value
