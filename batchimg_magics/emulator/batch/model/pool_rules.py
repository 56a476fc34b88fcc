"""The rules for the configuration of a pool, and its defaults: the same on both planes.

Source: the recorded refusals (`errors.json` of the recordings) and defaults of recorded pools; Microsoft's OpenAPI for
names, types and ranges.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.open_world import (
    CLASSIC_COMMUNICATION,
    CLASSIC_COMMUNICATION_END,
    MANAGED_IMAGE_POOLS,
    MANAGED_IMAGES_END,
    has_retired,
    is_open,
)
from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import (
    image_support,
    machine_rules,
    mount_rules,
    network_rules,
    package_rules,
    task_rules,
    user_rules,
)
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.body_checks import ID_REASON, first_repeated
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.catalog import marketplace
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.http.dates import duration_s
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item, Store

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POOL = frozenset(
    {
        "id", "displayName", "vmSize", "cloudServiceConfiguration", "virtualMachineConfiguration", "resizeTimeout",
        "targetDedicatedNodes", "targetLowPriorityNodes", "enableAutoScale", "autoScaleFormula",
        "autoScaleEvaluationInterval", "enableInterNodeCommunication", "networkConfiguration", "startTask",
        "certificateReferences", "applicationPackageReferences", "applicationLicenses", "taskSlotsPerNode",
        "taskSchedulingPolicy", "userAccounts", "metadata", "mountConfiguration", "targetNodeCommunicationMode",
        "upgradePolicy", "resourceTags", "nodeDeallocationOption",
    }
)  # fmt: skip
#: The properties of a pool that can change even if it has nodes.
CHANGEABLE = frozenset(
    {"startTask", "certificateReferences", "applicationPackageReferences", "metadata", "targetNodeCommunicationMode"}
)
_CLOUD_SIZES = re.compile(r"(extra)?(small|large)|medium|a\d+|standard_(d|a)\w+", re.IGNORECASE)
_SUBSCRIPTION = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Compute"
_IMAGE = f"{_SUBSCRIPTION}/images/{{imageName}}"
_DEFINITION = f"{_SUBSCRIPTION}/galleries/{{galleryName}}/images/{{galleryImageName}}"
_VERSION = _DEFINITION + "/versions/{galleryImageVersionName}"
_COMPUTE = r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/[^/]+/providers/Microsoft\.Compute"
_GALLERY_ID = re.compile(_COMPUTE + r"/galleries/[^/]+/images/[^/]+(/versions/[^/]+)?", re.IGNORECASE)
_MANAGED_ID = re.compile(_COMPUTE + r"/images/[^/]+", re.IGNORECASE)
#: The last api-versions that create pools directly from managed images, by plane. Source: issue threads for the data
#: plane; for ARM the example in Microsoft's document on pools of managed images.
_MANAGED_UNTIL = {"batch": "2019-08-01.10.0", "arm": "2020-03-01"}
#: The first api-versions that are recorded to refuse cloud-service pools.
_CLOUD_SERVICE_UNTIL = {"batch": "2024-02-01", "arm": "2024-02-01"}
_FORMULA_LIMIT = 8192
evidence = Evidence("Configuration of pools")
_LONGEST_RESIZE_S = evidence.assumed(
    7 * 86_400, "s", "maximum of a resize timeout", "the minimum of 5 minutes is documented, a maximum is not"
)
evidence.rule(
    "A pool whose image does not exist is refused at once; other problems of an image show when nodes are allocated.",
    "no recording shows such a pool",
)
#: Properties that no response shows.
_SECRET_PROPERTIES = frozenset({"password", "sshPrivateKey", "accountKey", "sasKey", "protectedSettings"})
_METADATA_LIMIT = evidence.assumed(
    8192, "characters", "of all names and values of the metadata", "an error for more is documented, a limit is not"
)
evidence.rule(
    "Metadata with a name that occurs twice is refused.",
    "no document says what Batch does with it",
)
evidence.rule(
    "From 31 March 2026 on, a new pool that asks for classic node communication is refused.",
    "the retirement is documented, how Azure answers then is not",
)
evidence.rule(
    "No response shows the password of a registry, the key of a mount, the SSH key of a user, or protected settings.",
    "recorded for the passwords of user accounts; the OpenAPI calls the others secrets or keys",
)


def pool_id(name: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the id of a pool, or refuse it."""
    if name is None:
        raise missing_property("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise bad_property("id", name, ID_REASON)
    return name


def pool_body(body: Any, version: str, kind: str = "PoolAddParameter") -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a checked body of a pool in the format of the data plane, or refuse it."""
    return clean(body, _POOL, kind, version)


def check_new_pool(call: Call, account: Item, pool: dict[str, Any], plane: str) -> None:
    """Refuse the body of a request for a pool that the service would not create; see `check_pool`."""
    check_pool(call, account, pool, plane)
    check_changes(call.store, account, pool)


def check_pool(call: Call, account: Item, pool: dict[str, Any], plane: str) -> None:
    """Refuse a configuration that no pool may have, whether a request has it or the stored pool.

    Parameters
    ----------
    call
        The request.
    account
        The account of the pool.
    pool
        Its checked configuration.
    plane
        ``batch`` or ``arm``.
    """
    if not pool.get("vmSize"):
        raise missing_property("vmSize")
    if "cloudServiceConfiguration" in pool:
        _check_cloud_service(call, pool, plane)
    elif "virtualMachineConfiguration" not in pool:
        raise missing_property("virtualMachineConfiguration")
    else:
        _check_machine(call, account, pool, plane)
    _check_autoscale_off(pool)
    check_scale(pool)
    if str(pool.get("targetNodeCommunicationMode")).lower() == "classic" and has_retired(
        call.store, CLASSIC_COMMUNICATION, call.now, CLASSIC_COMMUNICATION_END
    ):
        raise bad_property("targetNodeCommunicationMode", "classic", "The classic node communication mode is retired")
    task_rules.check_start_task(pool)
    network_rules.check_network(call, account, pool)
    network_rules.check_node_limits(pool, pool)


def _check_autoscale_off(pool: dict[str, Any]) -> None:
    if pool.get("enableAutoScale"):
        return
    if pool.get("autoScaleFormula") is not None:
        reason = "The formula must not be specified if enableAutoScale is set to false"
        raise bad_property("autoScaleFormula", None, reason)
    if "autoScaleEvaluationInterval" in pool:
        reason = "The interval must not be specified if enableAutoScale is set to false"
        raise bad_property("autoScaleEvaluationInterval", pool["autoScaleEvaluationInterval"], reason)


def _check_cloud_service(call: Call, pool: dict[str, Any], plane: str) -> None:
    if call.api_version >= _CLOUD_SERVICE_UNTIL[plane]:
        raise refusal("CloudServiceConfigurationRetired")
    if "virtualMachineConfiguration" in pool:
        raise bad_property("virtualMachineConfiguration", None, "Only one of the configurations can be specified")
    if not _CLOUD_SIZES.fullmatch(str(pool["vmSize"])):
        raise bad_property("vmSize", pool["vmSize"])


def _check_machine(call: Call, account: Item, pool: dict[str, Any], plane: str) -> None:
    machine = pool["virtualMachineConfiguration"]
    size = find_size(str(pool["vmSize"]))
    if size is None:
        raise bad_property("vmSize", pool["vmSize"])
    for name in ("imageReference", "nodeAgentSKUId"):
        if name not in machine:
            raise missing_property(name)
    agent, reference = str(machine["nodeAgentSKUId"]), machine["imageReference"]
    if agent.lower() not in marketplace.node_agents():
        raise bad_property("nodeAgentSKUId", agent, "The specified node agent SKU does not exist")
    machine_rules.check_reference(reference)
    if (image_id := reference.get("virtualMachineImageId")) is not None:
        _check_key(call, plane)
        _check_image_id(call, account, str(image_id), plane)
    else:
        image_support.check_image(call.store, call.now, reference, agent)
    if "customerManagedKey" in machine.get("diskEncryptionConfiguration", {}) and plane == "batch":
        raise bad_property("identity", None, "Pool Identity is required when using CustomerManagedKey.")
    machine_rules.check_machine(account, pool, size)
    windows = machine_rules.runs_windows(pool)
    user_rules.check_login_modes(pool, windows=windows)
    mount_rules.check_mount_systems(pool.get("mountConfiguration", []), windows=windows)
    slots = pool.get("taskSlotsPerNode", 1)
    if slots > min(4 * size.vcpus, 256):
        raise bad_property("taskSlotsPerNode", slots, "The value must not be above 4 times the cores of a node, or 256")


def _check_image_id(call: Call, account: Item, image_id: str, plane: str) -> None:
    """Refuse an image id that this api-version does not accept, or whose image does not exist.

    Up to 2019-08-01 a managed image in the subscription of the account is accepted, unless it is past the retirement;
    from 2020-03-01 on only gallery images are.
    """
    if not _GALLERY_ID.fullmatch(image_id):
        _check_managed(call, account, image_id, plane)
    if resources.find(call.store, call.now, image_id) is None and not is_open(call.store):
        raise bad_property("virtualMachineImageId", image_id, "The specified image could not be found")


def _check_managed(call: Call, account: Item, image_id: str, plane: str) -> None:
    over = has_retired(call.store, MANAGED_IMAGE_POOLS, call.now, MANAGED_IMAGES_END)
    managed = call.api_version <= _MANAGED_UNTIL[plane] and not over
    if not managed or not _MANAGED_ID.fullmatch(image_id):
        formats = [_VERSION, _DEFINITION] if call.api_version >= "2021" or not managed else [_IMAGE, _VERSION]
        reason = f"The specified resource id must be of the format {' or '.join(formats)}"
        raise bad_property("virtualMachineImageId", image_id, reason)
    check_subscription(account, "virtualMachineImageId", image_id)


def check_subscription(account: Item, name: str, resource: str) -> None:
    """Refuse the id of a resource that is not in the subscription of the account, or is no id."""
    own = account.doc["id"].split("/")[2]
    try:
        subscription = resources.split_id(resource)[0]
    except ValueError as error:
        raise bad_property(name, resource, f"The specified {name} is not a resource id") from error
    if subscription.lower() != own.lower():
        reason = (
            f"The specified {name} is in a different subscription and cannot be used with the current Batch account"
            f" in subscription {own}"
        )
        raise bad_property(name, resource, reason)


def _check_key(call: Call, plane: str) -> None:
    """Refuse a custom image in a request that is signed with the key of the account."""
    if plane == "batch" and call.headers.get("authorization", "").lower().startswith("sharedkey"):
        detail = (
            "The specified type of authentication SharedKey is not allowed when external resources of type Compute"
            " are linked."
        )
        raise refusal("AuthenticationFailed", ("AuthenticationErrorDetail", detail))


def check_scale(pool: dict[str, Any]) -> None:
    """Refuse targets, timeouts and formulas that exclude each other or are out of range."""
    if "resizeTimeout" in pool:
        check_timeout(pool["resizeTimeout"])
    if pool.get("enableAutoScale"):
        if "autoScaleFormula" not in pool:
            raise missing_property("autoScaleFormula")
        targets = [name for name in ("targetDedicatedNodes", "targetLowPriorityNodes") if pool.get(name)]
        if targets:
            raise bad_property(targets[0], pool[targets[0]], "The target cannot be set when autoscale is enabled")
    if "autoScaleFormula" in pool:
        check_formula_length(pool["autoScaleFormula"])
    if "autoScaleEvaluationInterval" in pool:
        check_interval(pool["autoScaleEvaluationInterval"])


def check_timeout(text: Any) -> float:  # noqa: ANN401 - any JSON
    """Return a resize timeout in seconds; less than 5 minutes is refused."""
    seconds = duration_s(text) if isinstance(text, str) else None
    if seconds is None or seconds < 300 or seconds > _LONGEST_RESIZE_S:
        raise bad_property("resizeTimeout", text, "The resize timeout must be at least 5 minutes")
    return seconds


def check_interval(text: Any) -> float:  # noqa: ANN401 - any JSON
    """Return an autoscale evaluation interval in seconds; it is 5 minutes to 168 hours."""
    seconds = duration_s(text) if isinstance(text, str) else None
    if seconds is None or not 300 <= seconds <= 168 * 3600:
        reason = "The evaluation interval must be between 5 minutes and 168 hours"
        raise bad_property("autoScaleEvaluationInterval", text, reason)
    return seconds


def check_formula_length(formula: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse a formula of more than 8 KB."""
    if not isinstance(formula, str):
        raise bad_property("autoScaleFormula", formula)
    if len(formula.encode()) > _FORMULA_LIMIT:
        raise refusal("AutoScalingFormulaTooLong")


def check_changes(store: Store, account: Item, pool: dict[str, Any]) -> None:
    """Refuse properties that no request may have, for a new pool or for a change.

    The stored pool does not have everything that a request needs: e.g. the passwords of its user accounts.
    """
    package_rules.check_packages(store, account, pool.get("applicationPackageReferences", []))
    # The emulator has no certificates, and Azure has none since 2025.
    if unknown := pool.get("certificateReferences"):
        why = "The specified certificate does not exist."
        names = [str(one.get("thumbprint", one.get("id", ""))) for one in unknown]  # ARM's have ids
        raise refusal("InvalidCertificateReferences", *((name, why) for name in names))
    if "startTask" in pool:
        task_rules.check_command(pool["startTask"])
    mount_rules.check_mounts(pool.get("mountConfiguration", []), need_keys=not is_open(store))
    if subnet := pool.get("networkConfiguration", {}).get("subnetId"):
        check_subscription(account, "subnetId", str(subnet))
    user_rules.check_users(pool.get("userAccounts", []), need_passwords=not is_open(store))
    if pool.get("resourceTags") and account.doc["properties"].get("poolAllocationMode") != "UserSubscription":
        reason = "Resource tags can be specified only if the pool allocation mode of the account is UserSubscription"
        raise bad_property("resourceTags", None, reason)
    check_metadata(pool.get("metadata", []))


def check_metadata(pairs: list[dict[str, Any]]) -> None:
    """Refuse metadata that is too large, without names, or with a name that occurs twice."""
    if sum(len(pair["name"]) + len(pair["value"]) for pair in pairs) > _METADATA_LIMIT:
        raise refusal("MetadataTooLarge")
    names = [pair["name"] for pair in pairs]
    if "" in names:
        raise refusal("EmptyMetadataKey")
    if (twice := first_repeated(names)) is not None:
        raise bad_property("metadata", twice, "Each metadata name can be specified once")


def check_replaceable(pool: Pool, config: dict[str, Any], now: float) -> None:
    """Refuse to change the configuration of nodes while the pool has any, or is getting some."""
    fixed = {name for name in {*pool.doc, *config} - CHANGEABLE if pool.doc.get(name) != config.get(name)}
    coming = any(pool.targets.values()) and nodes.allocation_state(pool.state.fleet, now)[0] != "steady"
    if fixed and (coming or any(nodes.current_nodes(pool.state.fleet, now, kind) for kind in nodes.KINDS)):
        reason = f"The properties {', '.join(sorted(fixed))} can only be updated on a pool without nodes"
        raise refusal("OperationInvalidForCurrentState", ("Reason", reason))


def with_defaults(pool: dict[str, Any]) -> dict[str, Any]:
    """Return a pool with the defaults of the service, as recorded."""
    pool = {"taskSlotsPerNode": 1, "enableInterNodeCommunication": False, **pool}
    pool["taskSchedulingPolicy"] = {"nodeFillType": "Spread", **pool.get("taskSchedulingPolicy", {})}
    pool["vmSize"] = pool["vmSize"].lower()
    cloud = pool.get("cloudServiceConfiguration")
    if cloud is not None:
        pool["cloudServiceConfiguration"] = {"osVersion": "*", **cloud}
    if (machine := pool.get("virtualMachineConfiguration")) is not None:
        pool["virtualMachineConfiguration"] = _machine(machine)
    if "startTask" in pool:
        pool["startTask"] = start_task(pool["startTask"])
    if "userAccounts" in pool:
        windows = cloud is not None or machine_rules.runs_windows(pool)
        mode = ("interactive" if cloud is not None else "batch") if windows else None
        pool["userAccounts"] = [_user(user, mode) for user in pool["userAccounts"]]
    if "networkConfiguration" in pool:
        before = {"dynamicVNetAssignmentScope": "none", "enableAcceleratedNetworking": False}
        pool["networkConfiguration"] = before | pool["networkConfiguration"]
    return {name: _without_secrets(value) for name, value in pool.items() if value not in ([], {})}


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out secrets, which the service never shows."""
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items() if name not in _SECRET_PROPERTIES}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _machine(machine: dict[str, Any]) -> dict[str, Any]:
    machine = dict(machine)
    reference = machine["imageReference"]
    if "virtualMachineImageId" not in reference:
        machine["imageReference"] = {"version": "latest", **reference}
    if (disk := machine.get("osDisk")) is not None:
        disk = {"caching": "None", **disk}
        if "managedDisk" in disk:
            disk["managedDisk"] = {"storageAccountType": "standard_lrs", **disk["managedDisk"]}
        machine["osDisk"] = disk
    if "dataDisks" in machine:
        machine["dataDisks"] = [_data_disk(disk) for disk in machine["dataDisks"]]
    return machine


def _data_disk(disk: dict[str, Any]) -> dict[str, Any]:
    shown = {"caching": "none", **disk}  # lower case, unlike that of the OS disk
    if "storageAccountType" not in disk:  # older api-versions have it beside the size
        shown["managedDisk"] = {"storageAccountType": "standard_lrs", **disk.get("managedDisk", {})}
    return shown


def start_task(task: dict[str, Any]) -> dict[str, Any]:
    """Return a start task with the defaults of the service."""
    task = {"maxTaskRetryCount": 0, "waitForSuccess": True, **task}
    identity = task.get("userIdentity", {})
    if "username" not in identity:
        auto = {"scope": "pool", "elevationLevel": "nonadmin", **identity.get("autoUser", {})}
        task["userIdentity"] = {"autoUser": auto}
    return task


def _user(user: dict[str, Any], login_mode: str | None) -> dict[str, Any]:
    shown = {"elevationLevel": "nonadmin"} | user
    if login_mode is not None:
        shown["windowsUserConfiguration"] = {"loginMode": login_mode, **user.get("windowsUserConfiguration", {})}
    return shown
