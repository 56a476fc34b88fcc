"""The rows of `show`: the properties of a pool by section, as text that a person reads and as values for code."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, parse_time, region_key
from batchimg_magics.core.base.node_counts import current_counts, target_counts
from batchimg_magics.core.batch import expiry, machine_settings, node_agents, pools, vm_sizes
from batchimg_magics.core.batch.secret_settings import MASKED, SECRET_NAME, mask_command
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.compute.lineage import source_ids
from batchimg_magics.core.estimates import prices
from batchimg_magics.masking import mask_tokens
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.pool_spec.package_task import without_package_list
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.operations.pool_facts import PoolFacts

__all__ = ["rows"]

#: Property, value for code, and text for people (None: the value as text).
_Found = tuple[str, Any, str | None]


def rows(facts: PoolFacts, azure: Azure, portal: str | None) -> list[dict[str, Any]]:
    """Return the rows of a pool; a property without a value is left out."""
    sections = (
        ("pool", _pool(facts)),
        ("nodes", _nodes(facts)),
        ("cost", _cost(facts)),
        ("errors", _errors(facts)),
        ("machine", _machine(facts)),
        ("image", _image(facts)),
        ("network", _network(facts.pool)),
        ("start task", _start_task(facts.pool)),
        ("access", _access(facts.pool)),
        ("quota", _quota(facts)),
        ("jobs", _jobs(facts)),
        ("tags", _tags(facts.pool)),
        ("not read", _unread(facts)),
        ("next", _next(facts, azure, portal)),
    )
    return [
        {"section": section, "property": name, "value": str(raw) if text is None else text, "raw": _plain(raw)}
        for section, found in sections
        for name, raw, text in found
        if raw not in (None, "", [], {})
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a value for attrs, which are JSON only."""
    return value.isoformat() if isinstance(value, (dt.datetime, dt.date)) else value


def _time(value: dt.datetime | float | None) -> tuple[dt.datetime | None, str | None]:
    if value is None:
        return None, None
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(value, dt.UTC)
    return moment, moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _pool(facts: PoolFacts) -> Iterator[_Found]:
    pool, props = facts.pool, facts.pool["properties"]
    yield "name", str(pool["name"]), None
    yield "state", "deleting" if props.get("provisioningState") == "Deleting" else "active", None
    allocation = str(props.get("allocationState") or "").lower()
    since = parse_time(props.get("allocationStateTransitionTime"))
    yield "allocation_state", allocation, f"{allocation}, since {_time(since)[1]}" if since else None
    yield ("created", *_time(parse_time(props.get("creationTime"))))
    managed = pools.tag_of(pool, tags.POOL) is not None
    yield "managed", managed, "yes, created by this tool" if managed else "no, not created by this tool"
    expires = expiry.expires_of(pool)
    yield ("expires", *_time(expires))
    if expires is not None:
        enforced = not expiry.is_unenforced(pool, facts.now)
        yield "expiry_enforced", enforced, _yes(enforced)
        leaves = expiry.leaves_without_tasks(pool)
        yield "leaves_without_tasks", leaves, _yes(leaves)
    formula = machine_settings.formula(pool)
    if formula is not None and not expiry.is_expiry_formula(formula):
        yield "autoscale_formula", formula, None
        yield "autoscale_interval_minutes", (machine_settings.formula_interval(pool) or 0) / 60 or None, None
    if formula is not None:
        yield ("autoscale_evaluated", *_time(expiry.evaluated_of(pool)))
    yield "task_slots_per_node", props.get("taskSlotsPerNode"), None
    yield "task_fill_type", dig(props, "taskSchedulingPolicy", "nodeFillType"), None
    yield "id", pool["id"], None


def _nodes(facts: PoolFacts) -> Iterator[_Found]:
    target = facts.state.target if facts.state is not None else target_counts(facts.pool)
    current = current_counts(facts.pool)
    yield "dedicated_nodes", current.dedicated, f"{current.dedicated} of {target.dedicated}"
    yield "dedicated_target", target.dedicated, None
    yield "spot_nodes", current.spot, f"{current.spot} of {target.spot}"
    yield "spot_target", target.spot, None
    if facts.census is not None:
        for kind, dedicated in (("dedicated", True), ("spot", False)):
            for (state, of_kind), count in sorted(facts.census.by_state.items()):
                if of_kind == dedicated:
                    yield f"{kind}_{state}", count, None


def _cost(facts: PoolFacts) -> Iterator[_Found]:
    if facts.rates is None:
        return
    counts = current_counts(facts.pool)
    whole = facts.rates.known_cost(counts.dedicated, counts.spot)
    what = prices.included_text([facts.rates])
    yield "usd_per_hour", whole, None if whole is None else f"${whole:.3f} an hour now: {what}"
    for kind, dedicated, count in (("dedicated", True, counts.dedicated), ("spot", False, counts.spot)):
        usd = facts.rates.node_usd_per_hour(dedicated=dedicated)
        if usd is not None and (count or dedicated):
            yield f"{kind}_node_usd_per_hour", usd, f"${usd:.3f} an hour for one {kind} node with its disks"
    disks = facts.rates.disks_usd_per_hour
    yield "node_disks_usd_per_hour", disks, None if disks is None else f"${disks:.3f} an hour for the disks of a node"
    usd = facts.usd_so_far
    if usd is not None:
        yield "usd_so_far", usd, f"${usd:,.2f} {_since_text(facts)}"
    yield ("prices_as_of", *_time(facts.rates.as_of))


def _since_text(facts: PoolFacts) -> str:
    """Return what the cost so far is the sum of."""
    created = expiry.created_of(facts.pool)
    if facts.cost is not None and facts.cost.is_complete_since(created):
        return f"since the pool was created on {_time(created)[1]}, as seen from this computer"
    return "at least: the present nodes since their allocation; nodes that left before are not known"


def _errors(facts: PoolFacts) -> Iterator[_Found]:
    state = facts.state
    if state is not None:
        for number, (code, message, reasons) in enumerate(state.errors, 1):
            text = f"{code}: {message}{f' ({reasons})' if reasons else ''}"
            yield f"resize_error_{number}" if number > 1 else "resize_error", text, None
        yield "autoscale_error", state.evaluation_error, None
    last = facts.last_attempt
    if last is None:
        return
    target = f"{last.get('dedicated_target')} dedicated, {last.get('spot_target')} spot"
    words = dict.fromkeys(str(last.get(name)) for name in ("class", "action") if last.get(name))
    parts = [": ".join(words), f"target {target}", _time(last.get("ended"))[1] or ""]
    yield "last_attempt", last.get("class"), ", ".join(part for part in parts if part)
    yield "last_attempt_message", last.get("message"), None
    yield "last_attempt_hint", last.get("hint"), None


def _machine(facts: PoolFacts) -> Iterator[_Found]:
    pool, size = facts.pool, facts.size
    machine = dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration") or {}
    yield "vm_size", str(size["name"]) if size else pool["properties"]["vmSize"], None
    if size is not None:
        memory = vm_sizes.memory_gib(size)
        yield "vcpus", vm_sizes.vcpus(size), None
        yield "memory_gib", memory, None if memory is None else f"{memory:g} GiB"
        yield "vm_size_ends", vm_sizes.end_of_size(size), None
    yield "os", node_agents.os_type_of(pools.agent_of(pool)), None
    agent = pools.agent_of(pool)
    yield "node_agent_sku", agent, None
    ends = node_agents.end_of_agent(facts.supported_images, agent) if agent and facts.supported_images else None
    yield "node_agent_ends", ends, None
    yield "security_type", dig(machine, "securityProfile", "securityType"), None
    yield "os_disk", _os_disk(machine), None
    sizes = image_versions.data_disk_sizes(facts.image) if facts.image else []
    disks = [f"LUN {one.get('lun')}: {one.get('diskSizeGB')} GiB" for one in machine.get("dataDisks") or []]
    disks += [f"from the image: {gib} GiB" for gib in sizes]
    yield "data_disks", disks, ", ".join(disks)
    yield "container_type", dig(machine, "containerConfiguration", "type"), None
    yield "extensions", [one.get("name") for one in machine.get("extensions") or []], None
    yield "disk_encryption", list(machine_settings.disk_encryption(pool)), None


def _os_disk(machine: Json) -> str | None:
    disk = machine.get("osDisk") or {}
    parts = [
        f"{disk['diskSizeGB']} GiB" if disk.get("diskSizeGB") else "",
        str(dig(disk, "managedDisk", "storageAccountType") or ""),
        "ephemeral" if dig(disk, "ephemeralOSDiskSettings", "placement") else "",
        f"caching {disk['caching']}" if disk.get("caching") else "",
    ]
    return ", ".join(part for part in parts if part) or "as in the image"


def _image(facts: PoolFacts) -> Iterator[_Found]:
    reference = pools.image_of(facts.pool)
    if reference is None:
        machine = dig(facts.pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration") or {}
        names = [str(dig(machine, "imageReference", key)) for key in ("publisher", "offer", "sku", "version")]
        yield "image", ":".join(names), f"{':'.join(names)} (Marketplace)"
        ends = node_agents.end_of_image(facts.supported_images, (names[0], names[1], names[2]))
        yield "image_ends", ends, None
        return
    yield "image", "/".join(name for _, name in ResourceId.parse(reference).path), None
    yield "image_state", None if facts.image_state is None else facts.image_state.value, None
    if facts.image is not None:
        profile = dig(facts.image, "properties", "publishingProfile") or {}
        replicas = {
            region_key(one["name"]): one.get("regionalReplicaCount", 1) for one in profile.get("targetRegions") or []
        }
        yield "image_replicas", replicas, ", ".join(f"{region}: {count}" for region, count in replicas.items())
        yield ("image_published", *_time(parse_time(profile.get("publishedDate"))))
        yield ("image_end_of_life", *_time(parse_time(profile.get("endOfLifeDate"))))
        yield "image_source_vm", dig(facts.image, "tags", tags.SOURCE_VM), None
        yield "image_base", dig(facts.image, "tags", tags.BASE_IMAGE), None
        sources = [one.rpartition("/")[2] for one in source_ids(facts.image)]
        yield "image_made_from", sources, ", ".join(sources)
    yield "image_id", reference, None


def _network(pool: Json) -> Iterator[_Found]:
    props = pool["properties"]
    network = props.get("networkConfiguration") or {}
    yield "subnet", network.get("subnetId"), None
    addresses = network.get("publicIPAddressConfiguration") or {}
    provision = str(addresses.get("provision") or "BatchManaged")
    words = {
        "batchmanaged": "created by Batch",
        "usermanaged": "your own",
        "nopublicipaddresses": "none: nodes have no public IP address",
    }
    yield "public_ip_addresses", provision, words.get(provision.lower(), provision)
    own = [str(one).rpartition("/")[2] for one in addresses.get("ipAddressIds") or []]
    yield "own_public_ip_addresses", own, ", ".join(own)
    mode = props.get("currentNodeCommunicationMode") or props.get("targetNodeCommunicationMode")
    yield "node_communication", mode, None
    yield "inter_node_communication", props.get("interNodeCommunication"), None
    yield "accelerated_networking", network.get("enableAcceleratedNetworking"), None
    rules = [
        f"{one['name']}: port {one['backendPort']} at {one['frontendPortRangeStart']}-{one['frontendPortRangeEnd']}"
        for one in dig(network, "endpointConfiguration", "inboundNatPools") or []
    ]
    yield "inbound_nat_pools", rules, ", ".join(rules)


def _start_task(pool: Json) -> Iterator[_Found]:
    task = without_package_list(pool["properties"].get("startTask"))
    if not task:
        return
    yield "start_task", mask_command(str(task.get("commandLine"))), None
    user = dig(task, "userIdentity", "autoUser") or {}
    account = dig(task, "userIdentity", "userName")
    level = "administrator" if str(user.get("elevationLevel")).lower() == "admin" else "not an administrator"
    yield "start_task_user", account or level, None
    waits = task.get("waitForSuccess", True)
    yield "start_task_wait", waits, "nodes wait for its success" if waits else "nodes do not wait for its success"
    yield "start_task_retries", task.get("maxTaskRetryCount"), None
    files = [mask_tokens(_file_text(one)) for one in task.get("resourceFiles") or []]
    yield "start_task_files", files, ", ".join(files)
    settings = {str(one["name"]): _setting(one) for one in task.get("environmentSettings") or []}
    yield "start_task_environment", settings, ", ".join(f"{name}={value}" for name, value in settings.items())
    yield "start_task_container", dig(task, "containerSettings", "imageName"), None


def _file_text(file: Json) -> str:
    source = file.get("httpUrl") or file.get("storageContainerUrl") or file.get("autoStorageContainerName")
    return f"{source} -> {file['filePath']}" if file.get("filePath") else str(source)


def _setting(setting: Json) -> str:
    hidden = SECRET_NAME.search(str(setting["name"])) is not None
    return MASKED if hidden else mask_tokens(str(setting.get("value") or ""))


def _access(pool: Json) -> Iterator[_Found]:
    props = pool["properties"]
    users = [
        f"{one.get('name')} ({one.get('elevationLevel') or 'NonAdmin'})" for one in props.get("userAccounts") or []
    ]
    yield "users", users, ", ".join(users)
    identities = [one.rpartition("/")[2] for one in dig(pool, "identity", "userAssignedIdentities") or {}]
    yield "identities", identities, ", ".join(identities)
    mounts = [_mount_text(one) for one in props.get("mountConfiguration") or []]
    yield "mounts", mounts, ", ".join(mounts)
    packages = [str(one.get("id")).rpartition("/")[2] for one in props.get("applicationPackages") or []]
    yield "application_packages", packages, ", ".join(packages)


def _mount_text(mount: Json) -> str:
    for kind, share in mount.items():
        if isinstance(share, dict):
            name = share.get("containerName") or share.get("azureFileUrl") or share.get("source")
            short = kind.removesuffix("Configuration").removesuffix("Mount")
            return mask_tokens(f"{short} {name} at {share.get('relativeMountPath')}")
    return ""


def _quota(facts: PoolFacts) -> Iterator[_Found]:
    if facts.headroom is None:
        return
    own = current_counts(facts.pool)
    for one in facts.headroom.quotas:
        used = (own.dedicated if one.dedicated else own.spot) * facts.headroom.cores
        kind = "dedicated" if one.dedicated else "spot"
        name = f"{kind}_family_cores_left" if one.family else f"{kind}_cores_left"
        left = max(0, one.free - used)
        text = f"{left} of {one.limit} {one.name} left; this pool uses {used}, others {one.used}"
        yield name, left, text


def _jobs(facts: PoolFacts) -> Iterator[_Found]:
    if facts.jobs is None:
        return
    jobs, tasks = facts.jobs, facts.jobs.tasks
    some = ", ".join(jobs.active[:5]) + (", ..." if len(jobs.active) > 5 else "")
    yield "active_jobs", len(jobs.active), f"{len(jobs.active)}{f': {some}' if some else ''}"
    if jobs.counted:
        of = f" (of {jobs.counted} of the jobs)" if jobs.counted < len(jobs.active) else ""
        yield "tasks_running", tasks["running"], f"{tasks['running']}{of}"
        yield "tasks_waiting", tasks["active"], f"{tasks['active']}{of}"
        yield "tasks_completed", tasks["completed"], f"{tasks['completed']}, {tasks['failed']} of them failed{of}"


def _tags(pool: Json) -> Iterator[_Found]:
    for name, value in (pool.get("tags") or {}).items():
        yield f"tag:{name}", mask_tokens(str(value)), None
    for pair in pool["properties"].get("metadata") or []:
        if pair.get("name") not in (pool.get("tags") or {}):
            yield f"metadata:{pair.get('name')}", mask_tokens(str(pair.get("value"))), None


def _unread(facts: PoolFacts) -> Iterator[_Found]:
    for what, why in facts.unread.items():
        yield f"unread:{what}", why, None


def _next(facts: PoolFacts, azure: Azure, portal: str | None) -> Iterator[_Found]:
    name = str(facts.pool["name"])
    yield "next_nodes", f"%batchimg nodes {magic_word(name)}", None
    if facts.census is not None and facts.census.bad:
        yield "next_logs", f"%batchimg logs {magic_word(name)}", None
        yield "next_repair", f"%batchimg repair {magic_word(name)}", None
    if expiry.is_unenforced(facts.pool, facts.now):
        yield "next_wait", f"%batchimg wait {magic_word(name)}", None
    yield "next_resize", f"%batchimg resize {magic_word(name)} --nodes {current_counts(facts.pool).dedicated}", None
    yield "next_delete", f"%batchimg delete {magic_word(name)}", None
    if portal is not None:
        yield "portal", f"{portal}/#resource{azure.scope.account_id}/overview", None
