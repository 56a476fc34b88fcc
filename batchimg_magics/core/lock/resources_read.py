"""The resources that a lock is about: each is read once, and a refusal is kept with its reason."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.core.azure import resources
from batchimg_magics.errors import NotFoundError, ServiceError, SpecError, ThrottledError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["Found", "ResourceReader"]

T = TypeVar("T")
#: Errors that concern the connection, not one resource: nothing can be read.
_FATAL = (0, 401)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a read.

    Parameters
    ----------
    value
        The document or another result; None: there is none.
    is_gone
        Whether Azure does not find it.
    reason
        Why it could not be read; empty: it could.
    """

    value: Any = None
    is_gone: bool = False
    reason: str = ""


class ResourceReader:
    """Reads resources by their ids, each once.

    Parameters
    ----------
    azure
        The connection.
    complete
        Whether an outage of Azure is an error: what is written down must not lack facts that are there.
    """

    def __init__(self, azure: Azure, *, complete: bool = False) -> None:
        self.azure = azure
        self._complete = complete
        self._reads: dict[str, asyncio.Task[Found]] = {}

    async def read(self, resource: str) -> Found:
        """Return what came of reading a resource of any subscription of the tenant.

        Raises
        ------
        ServiceError
            The user is not signed in, or Azure does not respond.
        """
        key = resource.strip("/").lower()
        if key not in self._reads:
            self._reads[key] = asyncio.ensure_future(self._read(resource))
        return await self._reads[key]

    async def _read(self, resource: str) -> Found:
        try:
            target = ResourceId.parse(resource)
        except SpecError as error:
            return Found(reason=error.message)
        return await self.attempt(resources.read(self.azure, target))

    async def attempt(self, call: Awaitable[T]) -> Found:
        """Await a read and return what came of it. Errors: as `read`."""
        try:
            return Found(await call)
        except NotFoundError:
            return Found(is_gone=True)
        except ServiceError as error:
            outage = error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, ThrottledError)
            if error.status_code in _FATAL or (self._complete and outage):
                raise
            return Found(reason=f"{error.status_code} {error.code}".strip())

    async def document(self, resource: str | None) -> Json | None:
        """Return the document of a resource; None where there is none, or it could not be read."""
        if not resource:
            return None
        found: Json | None = (await self.read(resource)).value
        return found
