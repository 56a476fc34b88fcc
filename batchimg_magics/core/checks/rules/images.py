"""Rules for the image of a pool: its existence, region, replicas and node limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import pools
from batchimg_magics.core.checks.facts import is_managed, source_ids_of
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned
from batchimg_magics.core.checks.rules.system import check_end_of_support
from batchimg_magics.core.compute import galleries, replication
from batchimg_magics.pool_spec.line import magic_word, shell_word
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults
    from batchimg_magics.core.compute.image_source import Source

#: The most nodes of all pools that use one managed image directly. The source document has 2,500 dedicated nodes,
#: Microsoft's page of quotas 2,000: more than the first is an error, more than the second a warning.
MOST_DEDICATED, DEDICATED_BY_QUOTA_PAGE, MOST_SPOT = 2500, 2000, 1000


@rule("region", "error", sources.DOCUMENT)
def region(facts: Facts) -> RuleResults:
    """The image is in the subscription and region of the Batch account, or in a gallery that replicates there."""
    if facts.source is not None and (facts.makes_image or facts.kind in ("vm", "disks")):
        return _check_source(facts, facts.source)
    if facts.managed_image is None:
        return None if facts.definition is None else _check_gallery_image(facts, str(facts.definition["id"]))
    where, subscription = (
        region_key(str(facts.managed_image["location"])),
        ResourceId.parse(facts.image_id).subscription,
    )
    if where != facts.region or subscription.lower() != facts.scope.subscription.lower():
        return failed(
            f"the managed image is in {where}, subscription {subscription}; the Batch account is in {facts.region}, "
            f"subscription {facts.scope.subscription}",
            "create a gallery image from it: image versions replicate to other regions",
        )
    return passed(f"in {where}, the region of the Batch account")


def _check_source(facts: Facts, source: Source) -> RuleResults:
    """Check the region and subscription of an image source."""
    subscription = source.id.split("/")[2] if source.id.startswith("/") else facts.scope.subscription
    if subscription.lower() != facts.scope.subscription.lower():
        return warned(
            f"{source.description} is in subscription {subscription}, the Batch account in {facts.scope.subscription}",
            "both must be in one tenant, and you need permissions in both: see the rule `permissions`",
        )
    if source.region != facts.region and facts.spec.direct:
        return failed(
            f"--direct: the image would be in {source.region}, and the Batch account is in {facts.region}",
            "omit --direct: an image version is replicated to the region of the account",
        )
    if source.region != facts.region:
        where = f"{source.description} is in {source.region}, the account in {facts.region}"
        return passed(f"{where}: the image version gets replicas in both")
    return passed(f"{source.description} is in {source.region}, the region of the Batch account")


def _check_gallery_image(facts: Facts, definition: str) -> RuleResults:
    subscription = ResourceId.parse(definition).subscription
    if subscription.lower() == facts.scope.subscription.lower():
        return passed("in the subscription of the Batch account; for its regions see the rule `replicas`")
    return warned(
        f"the gallery is in subscription {subscription}, the Batch account in {facts.scope.subscription}",
        "both must be in one tenant, you need permission to read the image, and Microsoft.Batch must be registered "
        f"there: `az provider register --namespace Microsoft.Batch --subscription {shell_word(subscription)}`",
    )


@rule("gallery", "error", sources.GALLERY, needs=("the gallery",))
def gallery(facts: Facts) -> RuleResults:
    """The gallery that was specified for the image exists."""
    if not facts.spec.gallery or not facts.makes_image:
        return None
    where = ResourceId.parse(facts.spec.gallery)
    if facts.gallery is None:
        missing = galleries.gallery_not_found_error(where)
        return failed(missing.message, missing.hint)
    return passed(f"gallery {where.name} exists")


@rule(
    "image-exists", "error", sources.DOCUMENT, needs=("the image definition", "the image version", "the managed image")
)
def image_exists(facts: Facts) -> RuleResults:
    """The image and its sources exist and are complete: a pool whose image is missing cannot grow."""
    if facts.kind not in ("image", "pool") or not (facts.missing_ids or facts.image_id):
        return None
    if facts.missing_ids:
        missing = ", ".join("/".join(name for _, name in ResourceId.parse(one).path) for one in facts.missing_ids)
        return failed(
            f"the image is missing: {missing}; the next resize would end with AllocationFailed",
            f"create a new image and a new pool: {fixes.rebuild_command(facts)}",
        )
    state = str(dig(facts.managed_image or facts.version, "properties", "provisioningState") or "")
    if state in ("Failed", "Canceled"):
        return failed(
            f"creation of the image ended with {state}",
            f"`%batchimg delete {magic_word(facts.image_id)}`, then create it again",
        )
    return passed("image exists")


@rule("image-source", "warning", sources.DOCUMENT)
def image_source(facts: Facts) -> RuleResults:
    """A managed image is made from snapshots of a VM's disks: pools of other images do not scale reliably."""
    if facts.managed_image is None:
        return _check_managed_image_source(facts) if facts.spec.direct and facts.source is not None else None
    storage = facts.managed_image["properties"].get("storageProfile") or {}
    disks = [storage.get("osDisk") or {}, *(storage.get("dataDisks") or [])]
    other = [key for disk in disks for key in ("managedDisk", "blobUri") if disk.get(key) and not disk.get("snapshot")]
    vm = dig(facts.managed_image, "properties", "sourceVirtualMachine", "id")
    if not other and not vm:
        return passed("made from snapshots")
    what = f"VM {ResourceId.parse(vm).name}" if vm else "a VHD" if "blobUri" in other else "a disk"
    return warned(f"made from {what}", f"create an image from snapshots: {fixes.rebuild_command(facts)}")


def _check_managed_image_source(facts: Facts) -> RuleResults:
    """Check the source of the managed image that is to be created."""
    if facts.spec.from_vhd is None:
        return passed("image will be made from snapshots")
    return warned("image would be made from a VHD", f"create an image from snapshots: {fixes.rebuild_command(facts)}")


@rule("replicas", "error", sources.GALLERY_POOL, needs=("the image version", "image versions"))
def replicas(facts: Facts) -> RuleResults:
    """The image version has enough replicas in the region of the Batch account for the number of nodes."""
    nodes = facts.target.total
    needed = replication.replicas_needed(nodes)
    if facts.makes_image:
        return _planned_replicas(facts, nodes, needed)
    return None if facts.version is None else _existing_replicas(facts, facts.version, nodes, needed)


def _existing_replicas(facts: Facts, version: Json, nodes: int, needed: int) -> RuleResults:
    """Check the replicas of an existing image version."""
    profile, where = dig(version, "properties", "publishingProfile") or {}, facts.region
    targets = {region_key(str(one["name"])): one for one in profile.get("targetRegions") or []}
    if where not in targets:
        other_regions = ", ".join(targets) or "no region"
        return failed(
            f"the image version has no replicas in {where}, only in {other_regions}", _more_replicas_fix(facts, needed)
        )
    state = _state(version, where)
    if state == "Failed":
        fix = "run the `%batchimg create` command of this image again: it repairs the region"
        return failed(f"replication to {where} failed", fix)
    if state == "Replicating":
        return warned(f"replication to {where} is in progress", "wait until it has finished")
    count = int(targets[where].get("regionalReplicaCount") or profile.get("replicaCount") or 1)
    if count < needed:
        return warned(_too_few_text(where, count, nodes), _more_replicas_fix(facts, needed))
    return passed(f"replicas in {where}: {count}, for {count_text(nodes, 'node')}")


def _planned_replicas(facts: Facts, nodes: int, needed: int) -> RuleResults:
    """Check the replicas that `create` will request: as many as needed, unless a number is specified."""
    requested = facts.spec.replicas.get(facts.region)
    if requested is not None and requested < needed:
        fix = f"--replicas {facts.region}={needed}, or omit it"
        return warned(_too_few_text(facts.region, requested, nodes), fix)
    if facts.version is not None and _state(facts.version, facts.region) == "Failed":
        return passed(f"replication to {facts.region} failed; `create` repairs it")
    return passed(f"replicas in {facts.region}: {requested or needed}, for {count_text(nodes, 'node')}")


def _too_few_text(where: str, count: int, nodes: int) -> str:
    most = count * replication.NODES_PER_REPLICA
    enough = count_text(most, "node")
    return f"replicas in {where}: {count}, enough to start {enough} at once; the pool will have {nodes:,}"


def _more_replicas_fix(facts: Facts, needed: int) -> str:
    names = dict(ResourceId.parse(facts.image_id).path)
    profile = dig(facts.version, "properties", "publishingProfile") or {}
    # The command must name all regions: Azure deletes the replicas in regions that are not named.
    regions = {
        region_key(str(one["name"])): int(one.get("regionalReplicaCount") or profile.get("replicaCount") or 1)
        for one in profile.get("targetRegions") or []
    }
    regions |= {facts.region: needed}
    return (
        f"`az sig image-version update {fixes.az_location_options(facts.image_id)} "
        f"--gallery-name {shell_word(names['galleries'])} --gallery-image-definition {shell_word(names['images'])} "
        f"--gallery-image-version {shell_word(names['versions'])} "
        f"--target-regions {' '.join(shell_word(f'{name}={count}') for name, count in regions.items())}`"
    )


def _state(version: Json, where: str) -> str:
    """Return the replication state of a version in a region; empty if unknown."""
    summary = dig(version, "properties", "replicationStatus", "summary") or []
    return next((str(one.get("state")) for one in summary if region_key(str(one.get("region"))) == where), "")


@rule("replication-mode", "error", sources.GALLERY, acceptable=True)
def replication_mode(facts: Facts) -> RuleResults:
    """The image version is a full copy: a shallow one depends on its source."""
    if facts.version is None:
        return None
    mode = str(dig(facts.version, "properties", "publishingProfile", "replicationMode") or "Full")
    return (
        passed(mode)
        if mode == "Full"
        else failed(f"the image version is a {mode} copy", f"create a full version: {fixes.rebuild_command(facts)}")
    )


@rule("version-end-of-life", "warning", sources.GALLERY)
def version_end_of_life(facts: Facts) -> RuleResults:
    """The image version is not past its end of life."""
    if facts.version is None:
        return None
    ends = dig(facts.version, "properties", "publishingProfile", "endOfLifeDate")
    return (
        check_end_of_support(
            facts, str(ends), "the life of the image version", f"create a new version: {fixes.rebuild_command(facts)}"
        )
        if ends
        else passed("no end-of-life date")
    )


@rule("image-shared", "warning", sources.DOCUMENT, needs=("pools",))
def image_shared(facts: Facts) -> RuleResults:
    """No other pool uses the image: Microsoft recommends one image for each pool."""
    if not facts.image_id or (facts.managed_image is not None and facts.makes_image):
        return None
    if facts.managed_image is not None:
        names = [_name(facts, one) for one in _pools_sharing(facts, facts.managed_image)]
        advice = f"create a separate image for each pool: {fixes.rebuild_command(facts)}"
        return (
            warned(f"the image or one of its snapshots is also used by {', '.join(names)}", advice)
            if names
            else passed("no other pool uses it")
        )
    names = pools.pools_using(facts.other_pools, facts.image_id)
    # Pools of one gallery image share its replicas, but no node limit.
    return (
        passed(f"also used by {', '.join(names)}; the replicas must be enough for the nodes of all pools")
        if names
        else passed("no other pool uses it")
    )


def _name(facts: Facts, pool: Json) -> str:
    """Return the name of a pool, with its account if that is another one."""
    (_, account), (_, name) = ResourceId.parse(pool["id"]).path
    return name if account.lower() == facts.scope.account.lower() else f"{account}/{name}"


def _pools_sharing(facts: Facts, image: Json) -> list[Json]:
    """Return the other pools, of any account, that use a managed image or one of its snapshots directly."""
    source_ids = {str(image["id"]).lower(), *(one.lower() for one in source_ids_of(image))}
    same_source = [
        one["id"]
        for one in facts.sibling_images
        if source_ids & {str(one["id"]).lower(), *map(str.lower, source_ids_of(one))}
    ]
    return [
        pool
        for pool in (*facts.other_pools, *facts.other_account_pools)
        if (found := pools.image_of(pool))
        and is_managed(found)
        and any(is_same_resource(found, one) for one in same_source)
    ]


@rule("managed-image-limit", "error", sources.DOCUMENT, needs=("pools", "managed images"), acceptable=True)
def managed_image_limit(facts: Facts) -> RuleResults:
    """All pools that use a managed image or snapshot directly have at most 2,500 dedicated and 1,000 spot nodes."""
    if facts.makes_image or (facts.managed_image is None and not facts.spec.direct):
        return None
    sharing = (
        [current_or_target(one) for one in _pools_sharing(facts, facts.managed_image)] if facts.managed_image else []
    )
    dedicated = facts.target.dedicated + sum(one.dedicated for one in sharing)
    spot = facts.target.spot + sum(one.spot for one in sharing)
    text = f"{dedicated:,} dedicated and {spot:,} spot nodes in {count_text(len(sharing) + 1, 'pool')}"
    fix = "create a gallery image from it: its pools do not have this limit"
    if dedicated > MOST_DEDICATED or spot > MOST_SPOT:
        return failed(f"{text}: more than {MOST_DEDICATED:,} and {MOST_SPOT:,}", fix)
    if facts.unreadable_accounts:
        return unchecked(f"{text}; could not read {', '.join(facts.unreadable_accounts)}", fix)
    if dedicated > DEDICATED_BY_QUOTA_PAGE:
        return warned(
            f"{text}: Microsoft's page of quotas has a limit of {DEDICATED_BY_QUOTA_PAGE} dedicated nodes", fix
        )
    nat_pools = dig(facts.pool, "properties", "networkConfiguration", "endpointConfiguration", "inboundNatPools")
    if nat_pools or facts.spec.login_ports:
        return warned(f"{text}; inbound NAT pools lower these limits by an unknown number", fix)
    return passed(text)
