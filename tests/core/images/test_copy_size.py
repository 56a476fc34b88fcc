"""The VM size of a temporary copy: which sizes can boot its disks, have free cores, and are the best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.core.compute.image_source import Source, SourceDisk
from batchimg_magics.core.images.copy_size import choose_copy_sizes, is_size_unavailable
from batchimg_magics.emulator.catalog.vm_sizes import all_sizes, capabilities
from batchimg_magics.errors import ConflictError, NotFoundError, ProvisioningError
from tests.support.documents import GROUP

if TYPE_CHECKING:
    from batchimg_magics.core.images.copy_size import CopySizes
    from batchimg_magics.errors import BatchImgError

SOURCE = Source(
    id=f"{GROUP}/virtualMachines/desk",
    unique_id="1",
    region="eastus",
    os_type="Linux",
    generation="V2",
    architecture="x64",
    security_type="Standard",
    uefi=None,
    marketplace=None,
    generalized=False,
    disks=(SourceDisk("os", None, "ReadWrite"), SourceDisk("data", 0, "None")),
    unmanaged=(),
    plan=None,
    controllers=(),
)


def skus(**changed: Any) -> list[dict[str, Any]]:
    """Return Compute's list of sizes; a name of a size changes its row."""
    rows = []
    for size in all_sizes().values():
        can = [{"name": name, "value": value} for name, value in capabilities(size)]
        row = {"name": size.name, "family": size.family, "capabilities": can, "restrictions": []}
        rows.append(row | changed.get(size.name, {}))
    return rows


def usage(family: str, used: int, limit: int) -> dict[str, Any]:
    return {"name": {"value": family}, "currentValue": used, "limit": limit}


def choose(
    size: str = "Standard_D8s_v5",
    source: Source = SOURCE,
    usages: list[dict[str, Any]] | None = None,
    asked: str | None = None,
    **changed: Any,
) -> CopySizes:
    vm = {"id": SOURCE.id, "properties": {"hardwareProfile": {"vmSize": size}, "storageProfile": {}}}
    return choose_copy_sizes(skus(**changed), usages or [], vm, source, asked)


def family(name: str) -> str:
    return all_sizes()[name.lower()].family


def test_a_small_size_of_another_family_is_the_first_and_the_own_family_the_last() -> None:
    found = choose()
    first, last = all_sizes()[found.names[0].lower()], found.names[-1]
    assert (first.vcpus, first.temp_gib, first.architecture) == (2, 0, "x64")
    assert first.family != family("Standard_D8s_v5") == family(last)
    assert len({family(one) for one in found.names}) == len(found.names)


@pytest.mark.parametrize("size", ["Standard_NC24ads_A100_v4", "Standard_HB120rs_v3", "Standard_ND96isr_H100_v5"])
def test_a_copy_of_a_gpu_or_hpc_vm_needs_none_of_its_quota(size: str) -> None:
    if size.lower() not in all_sizes():
        size = next(one.name for one in all_sizes().values() if one.gpus)
    found = choose(size, usages=[usage(family(size), 24, 24)])
    assert all_sizes()[found.names[0].lower()].vcpus == 2
    assert all_sizes()[found.names[0].lower()].gpus == 0


def test_families_without_free_cores_are_named_and_not_used() -> None:
    every = sorted({one.family for one in all_sizes().values()})
    own = family("Standard_D8s_v5")
    one_left = choose(usages=[usage(name, 9, 10 if name != own else 11) for name in every])
    assert [family(one) for one in one_left.names] == [own]
    assert not choose(usages=[usage("cores", 99, 100)]).names
    none = choose(usages=[usage(name, 10, 10) for name in every])
    assert none.names == ()
    assert own in {one.family for one in none.full}
    assert str(none.full[0]).endswith("10 of 10 vCPUs are used")


def test_only_a_restriction_of_the_region_excludes_a_size() -> None:
    best = choose().names[0]
    zonal = {"type": "Zone", "values": ["eastus"], "restrictionInfo": {"zones": ["1"]}}
    assert choose(**{best: {"restrictions": [zonal]}}).names[0] == best
    regional = {"type": "Location", "values": ["eastus"], "reasonCode": "NotAvailableForSubscription"}
    assert best not in choose(**{best: {"restrictions": [regional]}}).names
    elsewhere = {"type": "Location", "values": ["westus"]}
    assert choose(**{best: {"restrictions": [elsewhere]}}).names[0] == best


@pytest.mark.parametrize(
    ("size", "changed", "says"),
    [
        ("Standard_D8s_v5", {"architecture": "Arm64"}, "Arm64"),
        (
            "Standard_D8s_v5",
            {"disks": tuple(SourceDisk(str(n), n or None, "None") for n in range(20))},
            "MaxData",
        ),
        ("Standard_D8ds_v5", {}, "temp"),
        ("Standard_D8s_v5", {"security_type": "TrustedLaunch"}, "trusted"),
        ("Standard_D8s_v3", {"generation": "V1"}, "V1"),
    ],
)
def test_every_size_can_boot_the_disks(size: str, changed: dict[str, Any], says: str) -> None:
    found = choose(size, replace(SOURCE, **changed))
    assert found.names
    own = all_sizes()[size.lower()]
    for name in found.names:
        one = all_sizes()[name.lower()]
        assert one.architecture == changed.get("architecture", "x64")
        assert one.max_data_disks >= len(changed.get("disks", SOURCE.disks)) - 1
        assert (one.temp_gib > 0) == (own.temp_gib > 0), says
        assert one.trusted_launch or "security_type" not in changed
        assert changed.get("generation", "V2") in one.generations
        assert ("ConfidentialComputingType" in dict(capabilities(one))) is False


def test_a_size_that_is_named_is_judged() -> None:
    assert choose(asked="Standard_D2s_v5").names == ("Standard_D2s_v5",)
    assert choose(asked="d2s_v5").names == ("Standard_D2s_v5",)
    assert "does not offer VM size 'Standard_D2s_v55'" in choose(asked="Standard_D2s_v55").problem
    assert "Standard_D2s_v5" in choose(asked="Standard_D2s_v55").hint
    assert "temporary disk" in choose(asked="Standard_D2ds_v5").problem
    full = choose(asked="Standard_D2s_v5", usages=[usage("standardDSv5Family", 9, 10)])
    assert (full.names, full.problem) == ((), "")
    assert str(full.full[0]) == "standardDSv5Family: 9 of 10 vCPUs are used"


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (ConflictError("SkuNotAvailable: The requested size is not available", code="SkuNotAvailable"), True),
        (ConflictError("OperationNotAllowed: exceeding approved standardDSv5Family Cores quota",
                       code="OperationNotAllowed"), True),
        (ConflictError("OperationNotAllowed: the VM is generalized", code="OperationNotAllowed"), False),
        (ProvisioningError("VM x ended as Failed: AllocationFailed: none", resource_id="x", state="Failed"), True),
        (ProvisioningError("VM x ended as Failed: OSProvisioningTimedOut: no", resource_id="x", state="Failed"), False),
        (NotFoundError("NotFound: no such subnet", code="NotFound"), False),
    ],
)  # fmt: skip
def test_another_size_helps_against_missing_quota_and_capacity_only(error: BatchImgError, *, other: bool) -> None:
    assert is_size_unavailable(error) is other
