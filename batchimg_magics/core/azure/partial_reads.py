"""Continue reading where a read is not allowed, and note what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from batchimg_magics.core.azure import resources
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


T = TypeVar("T")


class PartialReader:
    """Reads resources and notes those that the caller may not read.

    Parameters
    ----------
    azure
        The connection.

    Attributes
    ----------
    unread
        What could not be read, each with the status and the code of the error.
    """

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.unread: dict[str, str] = {}

    async def read(self, what: str, call: Awaitable[T], default: T) -> T:
        """Await a read; where Azure refuses it, note that and return the default value.

        Raises
        ------
        ServiceError
            The user is not signed in, or Azure does not respond.
        """
        try:
            return await call
        except ServiceError as error:
            if error.status_code in (0, 401):
                raise
            self.unread[what] = f"{error.status_code} {error.code}".strip()
            return default

    async def read_document(self, resource: str, **query: str) -> Json | None:
        """Return the document of any resource of the tenant by its id; None where it does not exist."""
        return await resources.read_or_none(self.azure, resource, **query)
