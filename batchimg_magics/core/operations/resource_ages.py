"""How old leftover resources are, and which may belong to an image build that is still running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, pages, tags
from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.base import concurrency
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["created_at", "read_creation_times", "split_young"]


def created_at(document: Json) -> dt.datetime | None:
    """Return when a resource was created; None if its document does not have the time."""
    props = document.get("properties") or {}
    text: str | None = (
        props.get("timeCreated") or dig(props, "publishingProfile", "publishedDate") or document.get("createdTime")
    )
    return parse_time(text)


async def read_creation_times(azure: Azure, documents: Iterable[Json]) -> dict[str, dt.datetime]:
    """Return when resources were created, by their ids in lower case; one whose time cannot be read is missing.

    Galleries, image definitions, managed images and network interfaces do not have the time in their documents. The
    list of resources has it. Source: Resource Manager, "Resources - List By Resource Group", ``$expand=createdTime``.
    """
    documents = list(documents)
    known = {one["id"].lower(): created for one in documents if (created := created_at(one)) is not None}
    places = {
        (where.subscription, where.resource_group.lower())
        for one in documents
        if one["id"].lower() not in known and (where := ResourceId.parse(one["id"]))
    }
    for listed in await concurrency.gather(*(_read_times(azure, *place) for place in sorted(places))):
        known = listed | known
    return known


async def _read_times(azure: Azure, subscription: str, group: str) -> dict[str, dt.datetime]:
    url = f"/subscriptions/{subscription}/resourceGroups/{group}/resources?$expand=createdTime"
    try:
        rows = await pages.read_all(azure, f"{url}&api-version={api_versions.RESOURCES}")
    except ServiceError as error:
        if error.status_code == 401:
            raise
        return {}  # their age stays unknown
    return {row["id"].lower(): created for row in rows if (created := parse_time(row.get("createdTime"))) is not None}


def split_young(
    leftovers: list[tuple[Json, str]], created: dict[str, dt.datetime], latest: float
) -> tuple[list[tuple[Json, str]], list[tuple[Json, str]]]:
    """Return the leftovers that may be deleted, and those that may belong to an image build that is running.

    A build takes hours, so its first resources can be old: one young resource keeps all of its pool. A gallery is kept
    with what is in it.

    Parameters
    ----------
    leftovers
        Documents, each with the reason why it is not needed.
    created
        When they were created; a missing one counts as young.
    latest
        The creation time, in seconds since 1970, after which a resource is young.
    """

    def is_young(document: Json) -> bool:
        moment = created.get(document["id"].lower())
        return moment is None or moment.timestamp() > latest

    pools = {pool for document, _ in leftovers if is_young(document) and (pool := tags.owner_pool(document))}
    kept = {
        document["id"].lower() for document, _ in leftovers if is_young(document) or tags.owner_pool(document) in pools
    }
    kept |= {
        document["id"].lower()
        for document, _ in leftovers
        if any(one.startswith(f"{document['id'].lower()}/") for one in kept)
    }
    old = [one for one in leftovers if one[0]["id"].lower() not in kept]
    return old, [one for one in leftovers if one[0]["id"].lower() in kept]
