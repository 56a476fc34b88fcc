"""Rules about the image that pools are made from: there, where it is needed, often enough, and for how many nodes."""

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
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults
    from batchimg_magics.core.compute.image_source import Source

#: Nodes that pools made straight from one managed image may have in all. The source document says 2,500 dedicated
#: nodes, Microsoft's page of quotas 2,000: beyond the one it is an error, beyond the other a warning.
MOST_DEDICATED, DEDICATED_BY_QUOTA_PAGE, MOST_SPOT = 2500, 2000, 1000


@rule("region", "error", sources.DOCUMENT)
def region(facts: Facts) -> RuleResults:
    """The image is in the account's subscription and region, or in a gallery that reaches it."""
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
            "make a gallery image of it, which reaches other regions",
        )
    return passed(f"in {where}, as the Batch account")


def _check_source(facts: Facts, source: Source) -> RuleResults:
    """Judge what a gallery image is to be made of."""
    subscription = source.id.split("/")[2] if source.id.startswith("/") else facts.scope.subscription
    if subscription.lower() != facts.scope.subscription.lower():
        return warned(
            f"{source.description} is in subscription {subscription}, the Batch account in {facts.scope.subscription}",
            "it works within one tenant, with permissions in both: `permissions` tells",
        )
    if source.region != facts.region and facts.spec.direct:
        return failed(
            f"--direct: the image would be in {source.region}, and the Batch account is in {facts.region}",
            "leave out --direct: a gallery version is copied into the account's region",
        )
    if source.region != facts.region:
        where = f"{source.description} is in {source.region}, the account in {facts.region}"
        return passed(f"{where}: the image version gets replicas in both")
    return passed(f"{source.description} is in {source.region}, as the Batch account")


def _check_gallery_image(facts: Facts, definition: str) -> RuleResults:
    subscription = ResourceId.parse(definition).subscription
    if subscription.lower() == facts.scope.subscription.lower():
        return passed("in the account's subscription; where its replicas are, `replicas` tells")
    return warned(
        f"the gallery is in subscription {subscription}, the Batch account in {facts.scope.subscription}",
        "it works within one tenant, for callers who may read the image there",
    )


@rule("gallery", "error", sources.GALLERY, needs=("the gallery",))
def gallery(facts: Facts) -> RuleResults:
    """The gallery that was named for the image is there."""
    if not facts.spec.gallery or not facts.makes_image:
        return None
    where = ResourceId.parse(facts.spec.gallery)
    if facts.gallery is None:
        missing = galleries.gallery_not_found_error(where)
        return failed(missing.message, missing.hint)
    return passed(f"{where.name} is there")


@rule(
    "image-exists", "error", sources.DOCUMENT, needs=("the image definition", "the image version", "the managed image")
)
def image_exists(facts: Facts) -> RuleResults:
    """The image is there and complete, and so is what it needs: a pool whose image is gone cannot grow."""
    if facts.kind not in ("image", "pool") or not (facts.missing_ids or facts.image_id):
        return None
    if facts.missing_ids:
        gone = ", ".join("/".join(name for _, name in ResourceId.parse(one).path) for one in facts.missing_ids)
        return failed(
            f"the image is gone: {gone}; the next resize would end with AllocationFailed",
            f"make a new image, and a new pool: {fixes.rebuild_command(facts)}",
        )
    state = str(dig(facts.managed_image or facts.version, "properties", "provisioningState") or "")
    if state in ("Failed", "Canceled"):
        return failed(
            f"making the image ended with {state}", f"`%batchimg delete {facts.image_id}`, then make it again"
        )
    return passed("it is there")


@rule("image-source", "warning", sources.DOCUMENT)
def image_source(facts: Facts) -> RuleResults:
    """A managed image is made from snapshots of a VM's disks: from anything else pools do not scale reliably."""
    if facts.managed_image is None:
        return _check_managed_image_source(facts) if facts.spec.direct and facts.source is not None else None
    storage = facts.managed_image["properties"].get("storageProfile") or {}
    disks = [storage.get("osDisk") or {}, *(storage.get("dataDisks") or [])]
    other = [key for disk in disks for key in ("managedDisk", "blobUri") if disk.get(key) and not disk.get("snapshot")]
    vm = dig(facts.managed_image, "properties", "sourceVirtualMachine", "id")
    if not other and not vm:
        return passed("made from snapshots")
    what = f"VM {ResourceId.parse(vm).name}" if vm else "a VHD" if "blobUri" in other else "a disk"
    return warned(f"made from {what}", f"make an image from snapshots: {fixes.rebuild_command(facts)}")


def _check_managed_image_source(facts: Facts) -> RuleResults:
    """Judge what the managed image of a pool is going to be made from."""
    if facts.spec.from_vhd is None:
        return passed("it will be made from snapshots")
    return warned("it would be made from a VHD", f"make an image from snapshots: {fixes.rebuild_command(facts)}")


@rule("replicas", "error", sources.GALLERY_POOL, needs=("the image version", "image versions"))
def replicas(facts: Facts) -> RuleResults:
    """The image version has replicas in the account's region, enough for as many nodes at once."""
    nodes = facts.target.total
    needed = replication.replicas_needed(nodes)
    if facts.makes_image:
        return _planned_replicas(facts, nodes, needed)
    return None if facts.version is None else _existing_replicas(facts, facts.version, nodes, needed)


def _existing_replicas(facts: Facts, version: Json, nodes: int, needed: int) -> RuleResults:
    """Judge the replicas that there are."""
    profile, where = dig(version, "properties", "publishingProfile") or {}, facts.region
    targets = {region_key(str(one["name"])): one for one in profile.get("targetRegions") or []}
    if where not in targets:
        elsewhere = ", ".join(targets) or "no region"
        return failed(
            f"the image version has no replicas in {where}, only in {elsewhere}", _more_replicas_fix(facts, needed)
        )
    state = _state(version, where)
    if state == "Failed":
        fix = "`%batchimg create` with the line that made it repairs the region"
        return failed(f"replication into {where} failed", fix)
    if state == "Replicating":
        return warned(f"replication into {where} is going on", "wait until it is done")
    count = int(targets[where].get("regionalReplicaCount") or profile.get("replicaCount") or 1)
    if count < needed:
        return warned(_too_few_text(where, count, nodes), _more_replicas_fix(facts, needed))
    return passed(f"{count} in {where} for {nodes} nodes")


def _planned_replicas(facts: Facts, nodes: int, needed: int) -> RuleResults:
    """Judge the replicas that `create` will see to: as many as it takes, unless others are asked for."""
    asked = facts.spec.replicas.get(facts.region)
    if asked is not None and asked < needed:
        return warned(_too_few_text(facts.region, asked, nodes), f"--replicas {facts.region}={needed}, or leave it out")
    if facts.version is not None and _state(facts.version, facts.region) == "Failed":
        return passed(f"replication into {facts.region} failed, and is repaired on the way")
    return passed(f"{asked or needed} in {facts.region} for {nodes} nodes")


def _too_few_text(where: str, count: int, nodes: int) -> str:
    most = count * replication.NODES_PER_REPLICA
    return f"replicas in {where}: {count}, for {most} nodes that start at once; there will be {nodes}"


def _more_replicas_fix(facts: Facts, needed: int) -> str:
    names = dict(ResourceId.parse(facts.image_id).path)
    profile = dig(facts.version, "properties", "publishingProfile") or {}
    # The command says all regions that there are to be: those that are left out would be deleted.
    regions = {
        region_key(str(one["name"])): int(one.get("regionalReplicaCount") or profile.get("replicaCount") or 1)
        for one in profile.get("targetRegions") or []
    }
    regions |= {facts.region: needed}
    return (
        f"`az sig image-version update {fixes.az_location_options(facts.image_id)} --gallery-name {names['galleries']} "
        f"--gallery-image-definition {names['images']} --gallery-image-version {names['versions']} "
        f"--target-regions {' '.join(f'{name}={count}' for name, count in regions.items())}`"
    )


def _state(version: Json, where: str) -> str:
    """Return the state of a version's replication into a region, empty where Azure does not say."""
    summary = dig(version, "properties", "replicationStatus", "summary") or []
    return next((str(one.get("state")) for one in summary if region_key(str(one.get("region"))) == where), "")


@rule("replication-mode", "error", sources.GALLERY)
def replication_mode(facts: Facts) -> RuleResults:
    """The image version is a full copy: a shallow one is gone with what it was made from."""
    if facts.version is None:
        return None
    mode = str(dig(facts.version, "properties", "publishingProfile", "replicationMode") or "Full")
    return (
        passed(mode)
        if mode == "Full"
        else failed(f"the image version is a {mode} copy", f"make a full version: {fixes.rebuild_command(facts)}")
    )


@rule("version-end-of-life", "warning", sources.GALLERY)
def version_end_of_life(facts: Facts) -> RuleResults:
    """The image version is not past its end of life."""
    if facts.version is None:
        return None
    ends = dig(facts.version, "properties", "publishingProfile", "endOfLifeDate")
    return (
        check_end_of_support(facts, str(ends), "its life", f"make a new version: {fixes.rebuild_command(facts)}")
        if ends
        else passed("no end is named")
    )


@rule("image-shared", "warning", sources.DOCUMENT, needs=("pools",))
def image_shared(facts: Facts) -> RuleResults:
    """No other pool uses the image: one image for each pool is advised."""
    if not facts.image_id or (facts.managed_image is not None and facts.makes_image):
        return None
    if facts.managed_image is not None:
        names = [_name(facts, one) for one in _pools_sharing(facts, facts.managed_image)]
        advice = f"make an image of its own for each pool: {fixes.rebuild_command(facts)}"
        return (
            warned(f"its image or a snapshot under it serves {', '.join(names)}", advice)
            if names
            else passed("no other pool uses it")
        )
    names = pools.pools_using(facts.other_pools, facts.image_id)
    # What shares a gallery image shares no limit: its replicas serve all.
    return (
        passed(f"it serves {', '.join(names)} too; count all their nodes for its replicas")
        if names
        else passed("no other pool uses it")
    )


def _name(facts: Facts, pool: Json) -> str:
    """Return what a pool is called: with its account where that is another one."""
    (_, account), (_, name) = ResourceId.parse(pool["id"]).path
    return name if account.lower() == facts.scope.account.lower() else f"{account}/{name}"


def _pools_sharing(facts: Facts, image: Json) -> list[Json]:
    """Return the other pools, of whatever account, made straight from a managed image or from one of its snapshots."""
    mine = {str(image["id"]).lower(), *(one.lower() for one in source_ids_of(image))}
    same_source = [
        one["id"]
        for one in facts.sibling_images
        if mine & {str(one["id"]).lower(), *map(str.lower, source_ids_of(one))}
    ]
    return [
        pool
        for pool in (*facts.other_pools, *facts.other_account_pools)
        if (found := pools.image_of(pool))
        and is_managed(found)
        and any(is_same_resource(found, one) for one in same_source)
    ]


@rule("managed-image-limit", "error", sources.DOCUMENT, needs=("pools", "managed images"))
def managed_image_limit(facts: Facts) -> RuleResults:
    """Pools straight from one managed image or snapshot have at most 2,500 dedicated and 1,000 spot nodes in all."""
    if facts.makes_image or (facts.managed_image is None and not facts.spec.direct):
        return None
    sharing = (
        [current_or_target(one) for one in _pools_sharing(facts, facts.managed_image)] if facts.managed_image else []
    )
    dedicated = facts.target.dedicated + sum(one.dedicated for one in sharing)
    spot = facts.target.spot + sum(one.spot for one in sharing)
    text = f"{dedicated} dedicated and {spot} spot nodes in {len(sharing) + 1} pools"
    fix = "make a gallery image of it, whose pools have no such limit"
    if dedicated > MOST_DEDICATED or spot > MOST_SPOT:
        return failed(f"{text}: more than {MOST_DEDICATED} and {MOST_SPOT}", fix)
    if facts.unreadable_accounts:
        return unchecked(f"{text}; could not look at {', '.join(facts.unreadable_accounts)}", fix)
    if dedicated > DEDICATED_BY_QUOTA_PAGE:
        return warned(f"{text}: Microsoft's page of quotas says {DEDICATED_BY_QUOTA_PAGE} dedicated nodes", fix)
    there = dig(facts.pool, "properties", "networkConfiguration", "endpointConfiguration", "inboundNatPools")
    if there or facts.spec.login_ports:
        return warned(f"{text}; inbound NAT pools lower the limits, by how much nobody says", fix)
    return passed(text)
