"""Rules for what governs a subscription: locks, policies, and registered resource providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import denials
from batchimg_magics.core.checks import governance
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, warned
from batchimg_magics.core.images import temporary
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.policy_conditions import Policy
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: USD per GiB and month of temporary disks and snapshots: list prices of Standard SSD and of snapshots, rounded up.
#: Assumed: what is left behind is Standard; Premium costs about twice as much.
DISK_USD_PER_GIB_MONTH, SNAPSHOT_USD_PER_GIB_MONTH = 0.08, 0.05
_EXEMPTION = "ask for an exemption: `az policy exemption create`"


@rule("locks", "error", sources.LOCKS, needs=(governance.LOCKS,))
def locks(facts: Facts) -> RuleResults:
    """No lock forbids to create what is needed, or to delete temporary resources."""
    if facts.kind == "pool":
        return None
    found = [*_read_only(facts), *_not_deletable(facts)]
    return found or passed("no lock on the resource groups that are used")


def _read_only(facts: Facts) -> Iterator[RuleResult]:
    changed = {str(facts.scope.account_id).lower()}
    if facts.makes_image and facts.spec.gallery:
        changed.add(facts.spec.gallery.lower())
    # Nothing of the VM itself is changed for a copy; `--stop` and the other ways deallocate it.
    if facts.vm is not None and (facts.spec.stop or not facts.captures_copy):
        changed.add(str(facts.vm["id"]).lower())
    for lock in facts.locks:
        scope = governance.lock_scope(lock)
        if _level(lock) == "readonly" and any(f"{one}/".startswith(f"{scope}/") for one in changed):
            yield failed(f"lock {lock['name']!r} makes {_scope_name(scope)} read-only: {_NOTHING}", _remove(lock))


_NOTHING = "nothing can be created or changed there"


def _not_deletable(facts: Facts) -> Iterator[RuleResult]:
    if facts.vm is None or not facts.captures_copy:
        return
    home = temporary.home_of(facts.scope, ResourceId.parse(str(facts.vm["id"]))).group.lower()
    for lock in facts.locks:
        scope = governance.lock_scope(lock)
        if _level(lock) == "cannotdelete" and f"{home}/".startswith(f"{scope}/"):
            gib = sum(int(dig(disk, "properties", "diskSizeGB") or 0) for disk in facts.disks)
            usd = gib * (DISK_USD_PER_GIB_MONTH + SNAPSHOT_USD_PER_GIB_MONTH)
            yield warned(
                f"lock {lock['name']!r} on {_scope_name(scope)}: the temporary copy (VM, network interface, disks and "
                f"snapshots of {gib} GiB) cannot be deleted, and costs about ${usd:,.2f} a month until it is",
                f"{_remove(lock)}; or remove it afterwards, and run `%batchimg cleanup --delete`",
            )


def _level(lock: Json) -> str:
    return str(dig(lock, "properties", "level")).lower()


def _scope_name(scope: str) -> str:
    parts = scope.split("/")
    if len(parts) <= 3:
        return "the subscription"
    return f"resource group {parts[4]}" if len(parts) <= 5 else f"{parts[-2]} {parts[-1]}"


def _remove(lock: Json) -> str:
    return f"`az lock delete --ids {shell_word(lock['id'])}`"


# -- policies ------------------------------------------------------------------------------------------------------


@rule("policies", "error", sources.POLICIES, needs=(governance.POLICIES,), acceptable=True)
def policies(facts: Facts) -> RuleResults:
    """No policy of the subscription denies what is created."""
    if facts.kind == "pool" or not facts.policies:
        return None if facts.kind == "pool" else passed("no policy is assigned")
    resources = list(_resources(facts))
    found: list[RuleResult] = []
    for policy in facts.policies:
        judged = {str(one["type"]): policy.denies(one) for one in resources}
        denied = [kind for kind, denies in judged.items() if denies]
        named = f"policy {policy.name!r} (assignment {policy.assignment!r})"
        if denied:
            found.append(failed(f"{named} denies: {_names(denied)}", _fix(policy, resources)))
        elif unknown := [kind for kind, denies in judged.items() if denies is None]:
            text = f"{named} may deny: {_names(unknown)}; its conditions cannot be judged before"
            found.append(warned(text, f"if it does, {_EXEMPTION}"))
    return found or passed(f"policies that were checked: {len(facts.policies)}; none denies what is created")


def _names(kinds: list[str]) -> str:
    return ", ".join(kind.partition("/")[2] for kind in kinds)


def _fix(policy: Policy, resources: list[Json]) -> str:
    """Return what satisfies a policy: tags, if they do, or an exemption."""
    wanted: dict[str, str] = {}
    for name in policy.tag_names:
        # The value that the policy wants is among its texts, if it wants one.
        for value in ("VALUE", *policy.values):
            more = {**wanted, name: value}
            if not any(policy.denies({**one, "tags": {**one["tags"], **more}}) for one in resources):
                return f"`%batchimg connect` with {denials.tag_options(more)}"
        wanted[name] = "VALUE"
    return _EXEMPTION


def _resources(facts: Facts) -> Iterator[Json]:
    """Yield what is created: the parts of the documents that policies judge."""
    region = facts.source.region if facts.source else facts.region
    own = tags.combined(facts.resource_tags, facts.spec.tags, {tags.POOL: facts.spec.name, **tags.tool_tags()})

    def one(kind: str, where: str = region, **aliases: Any) -> Json:
        known = {f"{kind}/{name}".lower().replace("__", "."): value for name, value in aliases.items()}
        return {"type": kind, "location": region_key(where), "name": facts.spec.name, "tags": own, "aliases": known}

    closed = {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"}
    if facts.vm is not None:
        yield one("Microsoft.Compute/snapshots", **closed)
    if facts.captures_copy:
        yield one("Microsoft.Compute/disks", **closed)
        yield one("Microsoft.Compute/virtualMachines", imageId=None)
        yield from (one(f"Microsoft.Network/{kind}") for kind in ("networkInterfaces", "networkSecurityGroups"))
    if facts.spec.via == "managed-image" or facts.spec.direct:
        yield one("Microsoft.Compute/images")
    if facts.makes_image and facts.kind != "image":
        yield from (one(f"Microsoft.Compute/{kind}") for kind in _GALLERY_KINDS[bool(facts.spec.gallery) :])
    if facts.pool_named:
        yield one("Microsoft.Batch/batchAccounts/pools", where="")


_GALLERY_KINDS = ("galleries", "galleries/images", "galleries/images/versions")


# -- registration --------------------------------------------------------------------------------------------------


@rule("registration", "error", sources.REGISTRATION, needs=(governance.REGISTRATION,))
def registration(facts: Facts) -> RuleResults:
    """Microsoft.Batch is registered in the subscription of the gallery, if that is not the account's."""
    if not facts.registered:
        return None
    found = [
        failed(
            f"Microsoft.Batch is not registered in subscription {subscription}, where the gallery is: {state}",
            f"`az provider register --namespace Microsoft.Batch --subscription {subscription}`",
        )
        for subscription, state in facts.registered.items()
        if state.lower() not in ("registered", "registering")
    ]
    return found or passed(f"Microsoft.Batch is registered in {', '.join(facts.registered)}")
