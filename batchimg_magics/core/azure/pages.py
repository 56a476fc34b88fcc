"""Read lists that Azure returns page by page, without an SDK client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

T = TypeVar("T")


class Page(Protocol[T]):
    """One page of a list, decoded."""

    @property
    def value(self) -> list[T] | None:
        """The items; None or empty where the page has none."""

    @property
    def next_link(self) -> str | None:
        """The URL of the next page; None or empty on the last page."""


class _Documents(msgspec.Struct):
    value: list[dict[str, Any]] | None = None
    next_link: str | None = msgspec.field(name="nextLink", default=None)


_decode_documents = msgspec.json.Decoder(_Documents).decode


async def read_pages(
    azure: Azure, url: str, decode: Callable[[bytes], Page[T]], *, plane: Literal["arm", "batch"] = "arm"
) -> AsyncIterator[list[T]]:
    """Yield the items of a list page by page. A page is decoded before the next one is requested.

    Parameters
    ----------
    azure, url
        The connection, and the URL or path of the list, with its api-version.
    decode
        Decodes the body of a page.
    plane
        ``arm`` (Azure Resource Manager) or ``batch`` (the data plane of the Batch account).

    Raises
    ------
    ServiceError
        Azure refused a page, or a link leads to another host.
    """
    following: str | None = url
    while following:
        page = decode((await azure.get(following, plane=plane)).content)
        yield page.value or []
        following = page.next_link


async def read_all(azure: Azure, url: str) -> list[Json]:
    """Return all items of a list in Azure Resource Manager. Errors are those of `read_pages`."""
    return [item async for items in read_pages(azure, url, _decode_documents) for item in items]
