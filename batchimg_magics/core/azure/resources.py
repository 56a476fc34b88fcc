"""Read resources and lists of resources of Azure Resource Manager, as JSON documents.

These reads need no SDK client: the clients of Compute take longer to import than a first table takes in all, and their
models would be converted to documents at once. Writes are sent by the SDK clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batchimg_magics.core.azure import pages
from batchimg_magics.core.azure.api_versions import api_version
from batchimg_magics.errors import NotFoundError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["read", "read_list", "read_or_none"]


def _url(path: ResourceId | str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode({'api-version': api_version(path), **query}, safe='$')}"


async def read(azure: Azure, resource: ResourceId | str, **query: str) -> Json:
    """Return the document of any resource of the tenant by its id.

    Parameters
    ----------
    azure, resource
        The connection, and the id of the resource.
    **query
        Further parameters of the request, for example ``**{"$expand": "instanceView"}``.

    Raises
    ------
    NotFoundError
        It does not exist.
    ServiceError
        Azure refused the request.
    """
    return dict((await azure.get(_url(resource, query))).json())


async def read_or_none(azure: Azure, resource: ResourceId | str, **query: str) -> Json | None:
    """Return the document of a resource; None where it does not exist. Parameters and errors: as `read`."""
    try:
        return await read(azure, resource, **query)
    except NotFoundError:
        return None


async def read_list(azure: Azure, path: ResourceId | str) -> list[Json]:
    """Return the documents of all resources of a list; none where the parent resource does not exist.

    Parameters
    ----------
    azure, path
        The connection, and the path of the list, for example ``/subscriptions/S/providers/Microsoft.Compute/disks``.

    Raises
    ------
    ServiceError
        Azure refused a page.
    """
    try:
        return await pages.read_all(azure, _url(path, {}))
    except NotFoundError:
        return []
