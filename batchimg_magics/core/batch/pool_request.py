"""The body of a request that creates a pool, for Azure Resource Manager and for the data plane.

A body is built for Azure Resource Manager, with references in place of secrets; `data_plane_body` converts it. The
values of secrets are inserted when the request is sent. Ownership tags are metadata, which both planes show, and tags.

Source: the models of azure-mgmt-batch 19 and azure-batch 15.1 (api-version 2025-06-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, format_iso_duration, without_empty
from batchimg_magics.core.base.package_scripts import node_script
from batchimg_magics.core.batch.machine_request import identity_reference, machine_body, upgrade_body
from batchimg_magics.pool_spec.mounts import BlobMount, CifsMount, FilesMount
from batchimg_magics.pool_spec.node import build_start_task
from batchimg_magics.pool_spec.package_task import add_package_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.pools import PoolImage
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.pool_spec.access import LoginPort, UserAccount
    from batchimg_magics.pool_spec.mounts import Mount
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.pool_spec.start_task import ResourceFile, StartTask
    from batchimg_magics.resource_ids import ResourceId

_ELEVATION = {"nonadmin": "NonAdmin", "admin": "Admin"}
#: First priority of the rules of login ports. Source: Batch OpenAPI: unique in a pool, 150 to 4096, the lowest wins.
_FIRST_PRIORITY = 150
#: Source: Batch service, autoScaleEvaluationInterval: "The default value is 15 minutes".
DEFAULT_INTERVAL_S = 900.0
#: Order of jobs to Azure's words.
_JOB_ORDERS = {"none": "None", "creationtime": "CreationTime"}


def pool_body(
    spec: PoolSpec,
    source: Source,
    image: PoolImage,
    agent: str,
    size: str,
    account: ResourceId,
    *,
    connection_tags: Mapping[str, str] | None = None,
    in_subscription: bool = False,
) -> Json:
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
    connection_tags
        The tags of every resource that is created on the connection.
    in_subscription
        Whether the nodes are VMs in the user's subscription: then their resources get the tags, too.
    """
    luns = [disk.lun for disk in source.disks if disk.lun is not None]
    task = build_start_task(spec, source.os_type, luns)
    props: Json = {
        "vmSize": size,
        "displayName": spec.display_name,
        "deploymentConfiguration": {"virtualMachineConfiguration": machine_body(spec, source, image.id, agent)},
        "taskSlotsPerNode": spec.task_slots,
        "interNodeCommunication": "Enabled" if spec.inter_node else "Disabled",
        "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}},
        "taskSchedulingPolicy": _scheduling(spec),
        "upgradePolicy": upgrade_body(spec.upgrade_policy),
        "networkConfiguration": network_of(spec),
        "startTask": start_task_body(task),
        "mountConfiguration": [_mount(mount) for mount in spec.mounts],
        "userAccounts": [_user(user) for user in spec.user_accounts],
        "applicationPackages": [
            without_empty({"id": str(account.child("applications", name)), "version": version})
            for name, version in spec.application_packages.items()
        ],
    }
    props = without_empty(props)
    tool_entries = {
        tags.POOL: spec.name,
        tags.IMAGE: image.hash,
        tags.SPEC: tags.digest(props),
        **tags.tool_tags(),
    }
    if spec.packages:
        # After the hash: it is of what the user asked for.
        listing = add_package_list(task, source.os_type, node_script(source.os_type))
        props |= without_empty({"startTask": start_task_body(listing)})
    if spec.formula is not None:
        # After the hash: it is of what a node is, not of how many there are.
        interval = format_iso_duration(spec.formula_interval or DEFAULT_INTERVAL_S)
        props["scaleSettings"] = {"autoScale": {"formula": spec.formula, "evaluationInterval": interval}}
    props["metadata"] = [{"name": name, "value": value} for name, value in {**tool_entries, **spec.metadata}.items()]
    # The data plane has no tags.
    wanted = tags.combined((connection_tags or {}) if spec.api == "arm" else {}, spec.tags)
    if in_subscription and wanted:
        props["resourceTags"] = wanted
    whole: Json = {"properties": props, "tags": tags.combined(wanted, tool_entries)}
    if spec.identities:
        whole["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in spec.identities}}
    return whole


def _scheduling(spec: PoolSpec) -> Json:
    return without_empty(
        {
            # Azure requires the fill type wherever there is a policy.
            "nodeFillType": (spec.node_fill or "spread").capitalize() if spec.node_fill or spec.job_order else None,
            "jobDefaultOrder": _JOB_ORDERS[spec.job_order] if spec.job_order else None,
        }
    )


# -- network -----------------------------------------------------------------------------------------------------


def network_of(spec: PoolSpec) -> Json:
    """Return the ``networkConfiguration`` of a pool in Azure Resource Manager; empty: Azure's default."""
    ports: list[Json] = []
    rules = 0
    for port in spec.login_ports:
        ports.append(_nat_pool(port, _FIRST_PRIORITY + rules))
        rules += len(ports[-1].get("networkSecurityGroupRules", ()))
    return without_empty(
        {
            "subnetId": spec.subnet,
            "publicIPAddressConfiguration": _public_addresses(spec),
            "endpointConfiguration": {"inboundNatPools": ports} if ports else None,
            "enableAcceleratedNetworking": spec.accelerated_networking or None,
        }
    )


def _public_addresses(spec: PoolSpec) -> Json | None:
    if spec.no_public_address:
        return {"provision": "NoPublicIPAddresses"}
    if spec.public_addresses:
        return {"provision": "UserManaged", "ipAddressIds": list(spec.public_addresses)}
    tags_of_type = [{"ipTagType": kind, "tag": tag} for kind, tag in spec.ip_tags.items()]
    found = without_empty({"ipFamilies": list(spec.ip_families), "ipTags": tags_of_type})
    return {"provision": "BatchManaged", **found} if found else None


def _nat_pool(port: LoginPort, priority: int) -> Json:
    """Return an inbound NAT pool. Where sources are restricted, the last rule denies all others."""
    sources = [("Allow", one) for one in port.allow] + ([("Deny", "*")] if port.allow else [])
    rules = [
        {"priority": priority + place, "access": access, "sourceAddressPrefix": source}
        for place, (access, source) in enumerate(sources)
    ]
    return without_empty(
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


def start_task_body(task: StartTask | None) -> Json:
    """Return the ``startTask`` of a pool in Azure Resource Manager; empty: none."""
    if task is None:
        return {}
    automatic = {"autoUser": {"scope": "Pool", "elevationLevel": _ELEVATION[task.elevation]}}
    return without_empty(
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
    return without_empty(
        {
            "httpUrl": file.url,
            "storageContainerUrl": file.container_url,
            "autoStorageContainerName": file.container,
            "filePath": file.path,
            "blobPrefix": file.prefix,
            "fileMode": file.mode,
            "identityReference": identity_reference(file.identity),
        }
    )


def _mount(mount: Mount) -> Json:
    if isinstance(mount, BlobMount):
        inner: Json = {
            "accountName": mount.account,
            "containerName": mount.container,
            "accountKey": mount.key,
            "sasKey": mount.sas,
            "identityReference": identity_reference(mount.identity),
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
    return {kind: without_empty({**inner, **options, "relativeMountPath": mount.path})}


def _user(user: UserAccount) -> Json:
    return without_empty(
        {
            "name": user.name,
            "password": user.password,
            "elevationLevel": _ELEVATION[user.elevation],
            "linuxUserConfiguration": without_empty(
                {"uid": user.uid, "gid": user.gid, "sshPrivateKey": user.ssh_private_key}
            ),
            "windowsUserConfiguration": without_empty({"loginMode": user.login_mode and user.login_mode.capitalize()}),
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
    {
        "access", "caching", "elevationLevel", "jobDefaultOrder", "loginMode", "nodeFillType", "placement", "policy",
        "protocol", "provision", "scope", "securityType", "storageAccountType", "targets",
    }
)  # fmt: skip
#: Properties of the data plane that set a formula.
FORMULA_KEYS = ("enableAutoScale", "autoScaleFormula", "autoScaleEvaluationInterval")
#: Objects whose members are those of another service, or of the user.
_OPAQUE = frozenset({"settings", "protectedSettings"})
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
    scale = _data_plane_scale(props.pop("scaleSettings", {}))
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
        renamed = [{"applicationId": one["id"], **without_empty({"version": one.get("version")})} for one in packages]
        body["applicationPackageReferences"] = renamed
    converted: Json = _convert({key: value for key, value in body.items() if value is not None})
    return converted


def _data_plane_scale(settings: Json) -> Json:
    auto = settings.get("autoScale")
    if auto is None:
        return settings.get("fixedScale") or {}
    return dict(zip(FORMULA_KEYS, (True, auto["formula"], auto["evaluationInterval"]), strict=True))


def _convert(value: Any, under: str = "") -> Any:  # noqa: ANN401 - JSON
    if under in _OPAQUE:
        return value
    if isinstance(value, dict) and under == "containerConfiguration" and "type" in value:
        # The type of containers has only its first letter in lower case: dockerCompatible.
        value = {**value, "type": value["type"][0].lower() + value["type"][1:]}
    if isinstance(value, dict):
        return {_NAMES.get(name, name): _convert(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_convert(one, under) for one in value]
    if under in _LOWER_CASE and isinstance(value, str):
        return _FIXED_SPELLING.get(value.lower(), value.lower())
    return value
