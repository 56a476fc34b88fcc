"""Read on where something may not be read, and note what that was."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from batchimg_magics.core.azure.api_versions import api_version
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


T = TypeVar("T")


class PartialReader:
    """Reads one thing after the other or beside it, and notes what it may not see.

    Parameters
    ----------
    azure
        Where.

    Attributes
    ----------
    unread
        What could not be read, and why.
    """

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.unread: dict[str, str] = {}

    async def read(self, what: str, call: Awaitable[T], default: T) -> T:
        """Await a read; where Azure refuses it, note that and return the default.

        Raises
        ------
        ServiceError
            Nobody is signed in, or Azure does not answer at all.
        """
        try:
            return await call
        except ServiceError as error:
            if error.status_code in (0, 401):
                raise
            self.unread[what] = f"{error.status_code} {error.code}".strip()
            return default

    async def read_document(self, resource: str, **query: str) -> Json | None:
        """Return the document of any resource of the tenant by its id, or None where it is not there."""
        asked = "&".join(f"{name}={value}" for name, value in {"api-version": api_version(resource), **query}.items())
        found = await self.azure.call_or_none(self.azure.get(f"{resource}?{asked}"))
        return None if found is None else dict(found.json())
