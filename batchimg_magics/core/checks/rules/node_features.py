"""Rules for features of the nodes that the VM size, the image or the account must support."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

_BYTES_PER_GIB = 1024**3
_NEEDS = ("Batch's VM sizes",)


@rule("pool-document", "warning", sources.API)
def pool_document(facts: Facts) -> RuleResults:
    """Everything in the REST document of a pool that is used as a description can be kept."""
    omitted = facts.spec.omitted
    if omitted is None:
        return None
    fix = "add what you need as options or with another description (docs/pools.md)"
    return [warned(f"not kept: {one}", fix) for one in omitted] or passed("everything in the document is kept")


@rule("ephemeral-os-disk", "error", sources.EPHEMERAL, needs=_NEEDS)
def ephemeral_os_disk(facts: Facts) -> RuleResults:
    """The OS disk fits the cache disk of the VM size, if it is ephemeral."""
    if not facts.spec.ephemeral_os_disk or facts.size is None:
        return None
    name, can = str(facts.size["name"]), facts.capabilities
    if can.get("EphemeralOSDiskSupported") == "False":
        larger = facts.similar_sizes(lambda one: one.get("EphemeralOSDiskSupported") == "True")
        return failed(f"{name} does not support ephemeral OS disks", f"--vm-size: {larger}")
    needed = facts.spec.os_disk_gib or (facts.system.os_disk_gib if facts.system else None)
    cache = _cache_gib(can)
    if cache is None or needed is None:
        return unchecked(f"the size of the cache disk of {name} or of the OS disk is unknown", fixes.TEST_FIRST)
    if needed <= cache:
        return passed(f"{needed} GiB on a cache disk of {cache} GiB")
    larger = facts.similar_sizes(lambda one: (_cache_gib(one) or 0) >= needed)
    return failed(
        f"the OS disk has {needed} GiB, and the cache disk of {name} has {cache} GiB",
        f"omit --ephemeral-os-disk, or --vm-size: {larger}",
    )


def _cache_gib(can: dict[str, str]) -> int | None:
    """Return the size of the cache disk; 0 for none, None if Azure does not report it."""
    text = can.get("CachedDiskBytes")
    if text is None:
        return None if can.get("EphemeralOSDiskSupported") else 0
    return int(text) // _BYTES_PER_GIB


@rule("encryption-at-host", "error", sources.ENCRYPTION, needs=_NEEDS)
def encryption_at_host(facts: Facts) -> RuleResults:
    """The VM size supports encryption at host, if it is requested."""
    return _capability(facts, "EncryptionAtHostSupported", "encryption at host", wanted=facts.spec.encryption_at_host)


@rule("accelerated-networking", "error", sources.ACCELERATED, needs=_NEEDS)
def accelerated_networking(facts: Facts) -> RuleResults:
    """The VM size supports accelerated networking, if it is requested."""
    return _capability(
        facts, "AcceleratedNetworkingEnabled", "accelerated networking", wanted=facts.spec.accelerated_networking
    )


def _capability(facts: Facts, name: str, words: str, *, wanted: bool) -> RuleResults:
    if not wanted or facts.size is None:
        return None
    size, found = str(facts.size["name"]), facts.capabilities.get(name)
    if found is None:
        return unchecked(f"Azure does not report whether {size} supports {words}", fixes.TEST_FIRST)
    if found == "True":
        return passed(f"{size} supports {words}")
    other = facts.similar_sizes(lambda one: one.get(name) == "True")
    return failed(f"{size} does not support {words}", f"--vm-size: {other}")


@rule("zones", "error", sources.ZONES, needs=("Compute's VM sizes",))
def zones(facts: Facts) -> RuleResults:
    """The VM size is offered in several zones of the region, if the placement is zonal."""
    if facts.spec.node_placement != "zonal" or facts.sku is None:
        return None
    name = str(facts.sku["name"])
    if facts.spec.inter_node and facts.capabilities.get("RdmaEnabled") == "True":
        return failed(
            f"{name} has InfiniBand, which does not connect nodes of different zones",
            "omit --inter-node or --node-placement zonal",
        )
    found = {str(zone) for one in facts.sku.get("locationInfo") or [] for zone in one.get("zones") or []}
    if facts.user_subscription:
        # Source: as above: in user subscription mode, a zone that is restricted for the subscription does not count.
        found -= {str(zone) for zone in _restricted_zones(facts.sku)}
    if len(found) > 1:
        return passed(f"{name} is offered in zones {', '.join(sorted(found))} of {facts.region}")
    return failed(f"{name} is not offered in several zones of {facts.region}", "omit --node-placement zonal")


def _restricted_zones(sku: Json) -> list[str]:
    limits = [one for one in sku.get("restrictions") or [] if one.get("type") == "Zone"]
    return [zone for one in limits for zone in dig(one, "restrictionInfo", "zones") or []]


@rule("operating-system", "error", sources.API)
def operating_system(facts: Facts) -> RuleResults:
    """Settings for one operating system are used only with images of it."""
    spec, system = facts.spec, facts.system
    os_type = (facts.source.os_type if facts.source else system.os_type if system else "").lower()
    windows_only = {
        "license_type": spec.license_type is not None,
        "automatic_updates": spec.automatic_updates is not None,
        "disk_encryption": bool(spec.disk_encryption),
        "login_mode": any(user.login_mode for user in spec.user_accounts),
    }
    linux_only = {
        "uid and gid": any(user.uid is not None for user in spec.user_accounts),
        "ssh_private_key": any(user.ssh_private_key for user in spec.user_accounts),
    }
    if not os_type or not any((*windows_only.values(), *linux_only.values())):
        return None
    if os_type == "windows":
        ignored = [name for name, is_set in linux_only.items() if is_set]
        return warned(f"Windows ignores {' and '.join(ignored)}", "remove them") if ignored else passed("Windows")
    wrong = [name for name, is_set in windows_only.items() if is_set]
    return (
        failed(f"the image is of Linux; only Windows has {', '.join(wrong)}", "remove it") if wrong else passed("Linux")
    )


@rule("os-disk-key", "error", sources.ENCRYPTION)
def os_disk_key(facts: Facts) -> RuleResults:
    """Keys and encryption types of the OS disk are used only where the account and the image allow them."""
    spec = facts.spec
    found: list[RuleResult] = []
    if spec.disk_encryption_set is not None:
        if facts.user_subscription:
            found.append(passed("the account is in user subscription mode"))
        else:
            text = "the account is in Batch service mode, where nodes cannot use a disk encryption set of yours"
            found.append(failed(text, "omit --disk-encryption-set, or use an account in user subscription mode"))
    if spec.security_encryption is not None and facts.system is not None:
        security = facts.system.security_type
        if security.lower().startswith("confidentialvm"):
            found.append(passed(f"the nodes are confidential VMs: {spec.security_encryption}"))
        else:
            text = f"the image is {security}; only confidential VMs have an encryption of their OS disk"
            found.append(failed(text, "omit --security-encryption"))
    return found or None


@rule("public-addresses", "error", sources.PUBLIC_ADDRESSES, needs=("public addresses",))
def public_addresses(facts: Facts) -> RuleResults:
    """Public IP addresses of the user's own can be used by the pool."""
    if not facts.spec.public_addresses:
        return None
    problems = [_address_problem(facts, key) for key in facts.spec.public_addresses]
    found = [
        failed(problem, "use a static Standard address in the account's region") for problem in problems if problem
    ]
    return found or passed(
        f"{count_text(len(problems), 'static Standard address', 'static Standard addresses')} in {facts.region}"
    )


def _address_problem(facts: Facts, key: str) -> str:
    """Return why a pool cannot use a public address; empty if it can."""
    target, document = ResourceId.parse(key), facts.public_addresses.get(key.lower())
    name = target.name
    if target.subscription.lower() != facts.scope.subscription.lower():
        return f"{name} is in subscription {target.subscription}, not in that of the Batch account"
    if document is None:
        return f"there is no public address {key}"
    where, props = region_key(str(document.get("location"))), document.get("properties") or {}
    if where != facts.region:
        return f"{name} is in {where}, and the Batch account is in {facts.region}"
    if str(dig(document, "sku", "name") or "Basic") != "Standard":
        return f"{name} has the SKU {dig(document, 'sku', 'name') or 'Basic'}"
    if props.get("publicIPAllocationMethod") != "Static":
        return f"{name} is not static"
    own_pool = facts.pool is not None and key.lower() in str(facts.pool).lower()
    return f"{name} is in use by another resource" if props.get("ipConfiguration") and not own_pool else ""
