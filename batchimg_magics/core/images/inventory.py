"""What there is, read in one go: images and what they are made of, and everybody who may use them.

Images are those of the connection's subscription. Who uses them may be in any subscription that the caller sees. What
cannot be looked at is named, and the rest is read all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import network_interfaces
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"


@dataclass(slots=True)
class Survey:
    """Documents of Azure Resource Manager.

    Parameters
    ----------
    pools, machines, scale_sets
        Who may use an image: pools of all Batch accounts, VMs, scale sets, of every subscription that is seen.
    galleries, definitions, versions, managed, snapshots, disks
        What there is in the connection's subscription.
    interfaces
        Network interfaces in the connection's resource group.
    unseen
        What could not be looked at, each with Azure's reason.
    """

    pools: list[Json] = field(default_factory=list)
    machines: list[Json] = field(default_factory=list)
    scale_sets: list[Json] = field(default_factory=list)
    galleries: list[Json] = field(default_factory=list)
    definitions: list[Json] = field(default_factory=list)
    versions: list[Json] = field(default_factory=list)
    managed: list[Json] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)
    disks: list[Json] = field(default_factory=list)
    interfaces: list[Json] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[Json]:
        """All that an image is made of or made by, but galleries: VMs first, snapshots last."""
        images = (self.versions, self.definitions, self.managed)
        made = (self.machines, self.interfaces, *images, self.disks, self.snapshots)
        return [document for documents in made for document in documents]

    @property
    def blind(self) -> str:
        """What could not be looked at, for a caption; empty where all was seen."""
        return f"could not look at: {', '.join(sorted(self.unseen))}" if self.unseen else ""


async def take(azure: Azure) -> Survey:
    """Read all of it."""
    survey = Survey()
    await concurrency.together(_everybody(azure, survey), _images(azure, survey), _interfaces(azure, survey))
    return survey


async def _look(survey: Survey, azure: Azure, what: str, pages: AsyncIterable[object]) -> list[Json]:
    """Return the documents of a list; where it cannot be looked at, note that and return none."""
    try:
        return await azure.listed(pages)
    except ServiceError as error:
        if error.status_code == 401:  # nobody is signed in: nothing at all can be looked at
            raise
        survey.unseen.append(f"{what} ({error.code or error.status_code})")
        return []


async def _interfaces(azure: Azure, survey: Survey) -> None:
    try:
        survey.interfaces = await network_interfaces.interfaces(azure)
    except ServiceError as error:
        survey.unseen.append(f"network interfaces ({error.code or error.status_code})")


async def other_pools(azure: Azure) -> tuple[list[Json], list[str]]:
    """Return the pools of all other Batch accounts that the caller sees, and what could not be looked at."""
    survey = Survey()
    places = await _subscriptions(azure, survey)
    await concurrency.together(*(_pools_in(one, survey) for one in places))
    own = str(azure.scope.account_id).lower() + "/"
    return [pool for pool in survey.pools if not pool["id"].lower().startswith(own)], survey.unseen


async def _everybody(azure: Azure, survey: Survey) -> None:
    places = await _subscriptions(azure, survey)
    await concurrency.together(*(_users_in(one, survey) for one in places), *(_pools_in(one, survey) for one in places))


async def _subscriptions(azure: Azure, survey: Survey) -> list[Azure]:
    """Return every subscription that the caller sees, the connection's own first."""
    own = azure.scope.subscription
    try:
        found = (await azure.get(SUBSCRIPTIONS)).json()["value"]
    except ServiceError as error:
        survey.unseen.append(f"other subscriptions ({error.code or error.status_code})")
        return [azure]
    seen = [str(one["subscriptionId"]) for one in found if one.get("state") == "Enabled"]
    return [azure, *(azure.elsewhere(one) for one in seen if one.lower() != own.lower())]


async def _users_in(azure: Azure, survey: Survey) -> None:
    """Read the VMs and scale sets of one subscription."""
    within = f"of subscription {azure.scope.subscription}"
    machines, scale_sets = await concurrency.together(
        _look(survey, azure, f"VMs {within}", azure.compute.virtual_machines.list_all()),
        _look(survey, azure, f"scale sets {within}", azure.compute.virtual_machine_scale_sets.list_all()),
    )
    survey.machines += machines
    survey.scale_sets += scale_sets


async def _pools_in(azure: Azure, survey: Survey) -> None:
    """Read the pools of all Batch accounts of one subscription."""
    what = f"Batch accounts of subscription {azure.scope.subscription}"
    accounts = await _look(survey, azure, what, azure.management.batch_account.list())
    ids = [ResourceId.parse(account["id"]) for account in accounts]
    own = azure.scope.account_id
    if azure.scope.account and str(own).lower() not in {str(one).lower() for one in ids}:
        ids.append(own)  # it is there, whether the list of accounts may be read or not
    for pools in await concurrency.together(*(_pools_of(azure, survey, one) for one in ids)):
        survey.pools += pools


async def _pools_of(azure: Azure, survey: Survey, account: ResourceId) -> list[Json]:
    pages = azure.management.pool.list_by_batch_account(account.resource_group, account.name)
    return await _look(survey, azure, f"pools of Batch account {account.name}", pages)


async def _images(azure: Azure, survey: Survey) -> None:
    compute = azure.compute
    survey.galleries, survey.managed, survey.snapshots, survey.disks = await concurrency.together(
        _look(survey, azure, "galleries", compute.galleries.list()),
        _look(survey, azure, "managed images", compute.images.list()),
        _look(survey, azure, "snapshots", compute.snapshots.list()),
        _look(survey, azure, "disks", compute.disks.list()),
    )
    places = [ResourceId.parse(one["id"]) for one in survey.galleries]
    found = await concurrency.together(
        *(
            _look(
                survey,
                azure,
                f"gallery {one.name}",
                compute.gallery_images.list_by_gallery(one.resource_group, one.name),
            )
            for one in places
        )
    )
    survey.definitions = [definition for each in found for definition in each]
    for versions in await concurrency.together(*(_versions(azure, survey, one) for one in survey.definitions)):
        survey.versions += versions


async def _versions(azure: Azure, survey: Survey, definition: Json) -> list[Json]:
    (_, gallery), (_, name) = (where := ResourceId.parse(definition["id"])).path
    pages = azure.compute.gallery_image_versions.list_by_gallery_image(where.resource_group, gallery, name)
    return await _look(survey, azure, f"image {gallery}/{name}", pages)
