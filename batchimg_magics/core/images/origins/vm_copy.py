"""From a VM that stays as it is: a throwaway copy of it is deprovisioned.

Snapshots of the disks, copies of the disks, a VM on them, deprovision it, deallocate, generalize: its disks are the
parts. What is there only for that is put away when the image is made, and when a step on the way fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.steps import Outcome, Step, made
from batchimg_magics.core.batch import vm_sizes
from batchimg_magics.core.compute import disks, network_interfaces, snapshots, virtual_machines
from batchimg_magics.core.compute.storage_profile import Part, Parts
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.origins.generalized_vm import OfVm, snapshots_of, start_again, stopped_for
from batchimg_magics.core.images.origins.origin import Road, Trip, Way, snapshot_step
from batchimg_magics.core.images.origins.vm_in_place import generalizing
from batchimg_magics.core.images.temporary import Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Disk, Source

__all__ = ["find"]


class _ByCopy(OfVm):
    def __init__(self, vm: Json, source: Source, subnet: str, *, stop: bool) -> None:
        super().__init__(vm, source)
        self.subnet = subnet
        self.stop = stop
        # Disks that agree with each other make another image than such that were written to meanwhile.
        self.route = "copy of the stopped VM" if stop else "copy"

    def way(self, trip: Trip) -> Way:
        names = Names(trip.azure, trip.pool, trip.image)
        work = replace(trip, tags=temporary.tags_of(trip.tags))
        stopping = stopped_for(self.vm, trip.pool) or (self.stop and virtual_machines.power(self.vm) == "running")
        stop = [self._stop_step(trip, names)] if stopping else []
        taken = [
            snapshot_step(work, disk, names.snapshot(disk), self.source.region, after=_names(stop))
            for disk in self.source.disks
        ]
        start = [self._start_step(trip, taken)] if stopping else []
        copies = [self._copy_step(work, names, disk) for disk in self.source.disks]
        machine = self._vm_step(work, names, copies)
        last = generalizing(trip.azure, names.vm, self.source.os_type, trip.image, after=(machine.name,))
        steps, ready = [*stop, *taken, *start, *copies, machine, *last], _names(last[-1:])
        copied = [replace(disk, id=str(names.disk(disk))) for disk in self.source.disks]
        parts = Parts(tuple(Part(disk.lun, disk.caching, disk.id) for disk in copied))
        if trip.lasting:
            source = replace(self.source, disks=tuple(copied))
            kept, parts = snapshots_of(trip, source, after=ready, words="the throwaway's ")
            steps, ready = [*steps, *kept], _names(kept)
        return Way(parts, tuple(steps), ready, temporary=True)

    def _stop_step(self, trip: Trip, names: Names) -> Step:
        async def run(_: Mapping[str, Outcome]) -> Outcome:
            for disk in self.source.disks:
                if await snapshots.read(trip.azure, names.snapshot(disk)) is None:
                    break
            else:
                return Outcome("found", detail="the snapshots are there")
            # The mark comes first: whatever happens then, the same line knows that it has to start the VM again.
            await virtual_machines.mark(trip.azure, self.vm_id, {tags.STOPPED: trip.pool})
            return made(
                await virtual_machines.deallocate(trip.azure, self.vm_id),
                "until the snapshots are there",
                verb="changed",
            )

        why = "disks that agree with each other"
        return Step(
            "stop VM", self.vm_id, run, (), virtual_machines.EXPECTED_S["deallocate"], why, would="would change"
        )

    def _start_step(self, trip: Trip, taken: Sequence[Step]) -> Step:
        async def run(_: Mapping[str, Outcome]) -> Outcome:
            return made(await start_again(trip.azure, self.vm_id, trip.pool), verb="changed")

        seconds, why = virtual_machines.EXPECTED_S["start"], "it stays as it was"
        return Step("start VM again", self.vm_id, run, _names(taken), seconds, why, would="would change")

    def _copy_step(self, work: Trip, names: Names, disk: Disk) -> Step:
        target, snapshot = names.disk(disk), names.snapshot(disk)

        async def run(_: Mapping[str, Outcome]) -> Outcome:
            new = await disks.copy(work.azure, target, snapshot, region=self.source.region, tags=dict(work.tags))
            return made(new, f"of {snapshot.name}")

        async def there() -> bool:
            return await disks.read(work.azure, target) is not None

        before = (f"snapshot of {disk.words}",)
        why = "the throwaway VM's"
        return Step(f"copy of {disk.words}", target, run, before, disks.EXPECTED_S, why, there=there)

    def _vm_step(self, work: Trip, names: Names, copies: Sequence[Step]) -> Step:
        async def run(_: Mapping[str, Outcome]) -> Outcome:
            size = await vm_sizes.smallest_like(work.azure, self.vm, self.source)
            body = temporary.vm_body(
                self.vm, self.source, names, size=size, subnet=self.subnet, resource_tags=dict(work.tags)
            )
            return made(await virtual_machines.make(work.azure, names.vm, body), f"{size}, no public address")

        async def there() -> bool:
            return await virtual_machines.read(work.azure, names.vm) is not None

        why = f"to be deprovisioned in place of {self.source.name}"
        return Step(
            "throwaway VM", names.vm, run, _names(copies), virtual_machines.EXPECTED_S["make"], why, there=there
        )


def _names(steps: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)


async def find(azure: Azure, vm: Json, *, stop: bool) -> Road:
    """Return the road from a VM whose copy is to be deprovisioned."""
    return _ByCopy(
        vm, await virtual_machines.source(azure, vm), await network_interfaces.subnet_of(azure, vm), stop=stop
    )
