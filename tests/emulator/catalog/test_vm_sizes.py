"""Both lists of VM sizes have the same capabilities, except for one declared difference."""

from __future__ import annotations

from batchimg_magics.emulator.catalog.vm_sizes import all_sizes, batch_capabilities, capabilities


def test_both_lists_have_the_same_capabilities_of_every_size() -> None:
    for size in all_sizes().values():
        compute, batch = dict(capabilities(size)), dict(batch_capabilities(size))
        controllers = compute.pop("DiskControllerTypes")
        assert batch.pop("DiskControllerTypes", "SCSI") == controllers
        assert list(batch.items()) == list(compute.items())


def test_the_difference_is_where_a_size_has_scsi_alone() -> None:
    without = [size for size in all_sizes().values() if "DiskControllerTypes" not in dict(batch_capabilities(size))]
    assert without
    assert all(size.controllers == ["SCSI"] for size in without)
    nvme = [size for size in all_sizes().values() if "NVMe" in size.controllers]
    assert nvme
    assert all(dict(batch_capabilities(size))["DiskControllerTypes"] == ",".join(size.controllers) for size in nvme)
