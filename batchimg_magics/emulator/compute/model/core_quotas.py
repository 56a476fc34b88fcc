"""The core quotas of a subscription in a region, what counts towards them, and the regions of Microsoft.Compute."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from batchimg_magics.emulator.arm.resources import document_at
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES, region_name
from batchimg_magics.emulator.catalog.vm_sizes import all_sizes, find_size
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item, Store

VMS = "Microsoft.Compute/virtualMachines"
CoreKind = Literal["dedicated", "spot"]
#: (Kind of VM, VM family) -> cores.
Cores: TypeAlias = "Counter[tuple[CoreKind, str]]"
evidence = Evidence("Quotas of the subscription")
QUOTAS = evidence.assumed(
    {"in all": 1000, "of one family": 350, "spot": 100},
    "vCPUs",
    "that the subscription may use in a region",
    "the quotas differ by subscription",
)
#: The names of the quotas of all families in Compute's usages, and in its refusals.
REGIONAL, SPOT = "cores", "lowPriorityCores"
_WORDS = {REGIONAL: "Total Regional Cores", SPOT: "LowPriorityCores"}
#: The setting of an emulator state with other quotas: ``SUBSCRIPTION/REGION`` (or ``*``) -> name of a quota -> limit.
_SETTING = "core_quotas"
#: Functions that count the cores of something else in a subscription and a region: (state, time, subscription, region,
#: key of what does not count).
_COUNTERS: list[Callable[[Store, float, str, str, str], Cores]] = []


def known_region(location: str) -> str:
    """Return the programmatic name of the region in a path, or refuse a region that does not exist."""
    name = region_name(location)
    if name not in DISPLAY_NAMES:
        message = f"The provided location '{location}' is not available for resource type 'locations'."
        raise Refusal(400, "NoRegisteredProviderFound", message)
    return name


# -- usage -------------------------------------------------------------------------------------------------------


def count_with(counter: Callable[[Store, float, str, str, str], Cores]) -> None:
    """Let something else than VMs count towards the quotas."""
    _COUNTERS.append(counter)


def cores_in_region(store: Store, now: float, subscription: str, region: str, *, excluding: str = "") -> Cores:
    """Return the cores that a subscription uses in a region; deallocated VMs count as well.

    Parameters
    ----------
    store, now, subscription, region
        The emulator state, the simulated time, the subscription and the region.
    excluding
        Key of a VM or a Batch account that does not count.
    """
    total: Cores = Counter()
    for vm in store.items(VMS, f"/subscriptions/{subscription}"):
        inside = document_at(vm, now) is not None and region_name(vm.doc["location"]) == region
        if inside and vm.key != excluding:
            total += _vm_cores(vm)
    for counter in _COUNTERS:
        total += counter(store, now, subscription, region, excluding)
    return total


def _vm_cores(vm: Item) -> Cores:
    properties = vm.doc["properties"]
    size = find_size(str(properties.get("hardwareProfile", {}).get("vmSize", "")))
    return Counter() if size is None else Counter({(kind_of(properties), size.family): size.vcpus})


def kind_of(properties: dict[str, Any]) -> CoreKind:
    """Return which quota a VM counts towards."""
    return "spot" if properties.get("priority") in ("Spot", "Low") else "dedicated"


# -- limits ------------------------------------------------------------------------------------------------------


def set_limits(store: Store, limits: dict[str, int], *, subscription: str = "", region: str = "") -> None:
    """Set quotas by the names that Compute's usages have; without a subscription and a region everywhere."""
    known: dict[str, dict[str, int]] = store.meta(_SETTING) or {}
    where = f"{subscription}/{region_name(region)}".lower() if subscription or region else "*"
    changed = known.get(where, {}) | {name.lower(): limit for name, limit in limits.items()}
    store.set_meta(_SETTING, known | {where: changed})


def limit_of(store: Store, subscription: str, region: str, name: str, used: int = 0) -> int:
    """Return a quota.

    Parameters
    ----------
    store, subscription, region
        The emulator state, and where.
    name
        `REGIONAL`, `SPOT`, or the name of a VM family.
    used
        What is in use: in the scenario ``gpu-quota`` the quota of a GPU family is no larger.
    """
    known: dict[str, dict[str, int]] = store.meta(_SETTING) or {}
    for where in (f"{subscription}/{region}", f"/{region}", f"{subscription}/", "*"):
        if (limit := known.get(where.lower(), {}).get(name.lower())) is not None:
            return limit
    if name in (REGIONAL, SPOT):
        return QUOTAS["in all" if name == REGIONAL else "spot"]
    sizes = [size.vcpus for size in all_sizes().values() if size.family.lower() == name.lower() and size.gpus]
    if sizes and scenarios.current(store).gpu_quota:
        return max(used, min(sizes))
    return QUOTAS["of one family"]


def refuse_above_quota(call: Call, size: VmSize | None, kind: CoreKind, key: str, *, starts: bool = False) -> None:
    """Refuse a VM that does not fit into the quotas of its family and of the region. Source: Azure's own text.

    Parameters
    ----------
    call, size, kind
        The request, the size of the VM, and which quota it counts towards.
    key
        Of the VM, which is not counted twice.
    starts
        Whether the VM exists: then its cores are in use already, and only a smaller quota refuses it.
    """
    if size is None:
        return
    subscription = call.params["subscription"]
    document = call.body if isinstance(call.body, dict) and "location" in call.body else {}
    known = call.store.get(key)
    region = region_name(document.get("location") or (known.doc["location"] if known is not None else ""))
    used = cores_in_region(call.store, call.now, subscription, region, excluding=key.lower())
    own = size.vcpus if starts else 0
    of_kind = {family: count for (one, family), count in used.items() if one == kind}
    if kind == "spot":
        quotas = [(SPOT, sum(of_kind.values()))]
    else:
        quotas = [(size.family, of_kind.get(size.family, 0)), (REGIONAL, sum(of_kind.values()))]
    for name, count in quotas:
        limit = limit_of(call.store, subscription, region, name, count + own)
        if count + size.vcpus > limit:
            raise _above(_WORDS.get(name, f"{name} Cores"), region, limit, count, size.vcpus)


def _above(what: str, region: str, limit: int, used: int, more: int) -> Refusal:
    message = (
        f"Operation could not be completed as it results in exceeding approved {what} quota. Additional details - "
        f"Deployment Model: Resource Manager, Location: {region}, Current Limit: {limit}, Current Usage: {used}, "
        f"Additional Required: {more}, (Minimum) New Limit Required: {used + more}. Submit a request for Quota "
        "increase by specifying parameters listed in the 'Details' section for deployment to succeed. Please read more "
        "about quota limits at https://docs.microsoft.com/en-us/azure/azure-supportability/per-vm-quota-requests"
    )
    return Refusal(409, "OperationNotAllowed", message)
