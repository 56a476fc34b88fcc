"""The cloud of a connection: one of Microsoft's, or the one that a metadata URL describes.

Microsoft's clouds are known without a request. Any other cloud, for example the emulator of `batchimg emulator`,
describes itself at ``/metadata/endpoints`` of Azure Resource Manager, as for the Azure CLI.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from batchimg_magics.core.azure.cloud import AZURE_CLOUDS, AZURE_PUBLIC, Cloud
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import NotConnectedError, ServiceError, SpecError

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

__all__ = ["CLOUD_NAMES", "is_emulator", "known_cloud", "metadata_url", "read_cloud", "requested_cloud"]

CLOUD_NAMES = tuple(AZURE_CLOUDS)
#: The URL of Azure Resource Manager of another cloud; `batchimg emulator` prints it. `--cloud` comes first.
CLOUD_VARIABLE = "AZURE_RESOURCE_MANAGER"
_METADATA_PATH = "/metadata/endpoints"
#: The first version that answers one object instead of a list. Source: go-azure-sdk.
_METADATA_VERSION = "2022-09-01"
#: The name that the emulator has in its metadata.
_EMULATOR = "BatchimgLocal"
_PUBLIC = AZURE_PUBLIC.resource_manager
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 15}


def requested_cloud(option: str | None) -> str | None:
    """Return the name or the URL of the requested cloud: of the option, else of the environment; None: the default.

    Raises
    ------
    SpecError
        It is neither the name of a cloud nor a URL.
    """
    text = (option or os.environ.get(CLOUD_VARIABLE) or "").strip()
    if not text:
        return None
    if known := known_cloud(text):
        return known.name
    if not text.lower().startswith(("http://", "https://")) or not urlsplit(text).hostname:
        source = "--cloud" if option else CLOUD_VARIABLE
        raise SpecError(f"{source} is {text!r}", hint=f"it is one of {', '.join(CLOUD_NAMES)}, or a metadata URL")
    if not urlsplit(text).scheme == "https":
        raise SpecError(
            f"{text} is not an https URL", hint="tokens are sent to https URLs only; `batchimg emulator` serves https"
        )
    return text


def known_cloud(name: str) -> Cloud | None:
    """Return one of Microsoft's clouds by its name or the URL of its Resource Manager.

    Parameters
    ----------
    name
        In any case.

    Returns
    -------
    Cloud or None
        None: another cloud.
    """
    word = name.lower().rstrip("/")
    return next(
        (cloud for cloud in AZURE_CLOUDS.values() if word in (cloud.name.lower(), cloud.resource_manager)), None
    )


def metadata_url(url: str) -> str:
    """Return the metadata URL for a URL of a cloud, which may be that of its Azure Resource Manager."""
    parts = urlsplit(url)
    path = parts.path if parts.path.strip("/") else _METADATA_PATH
    query = dict(parse_qsl(parts.query))
    query.setdefault("api-version", _METADATA_VERSION)
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))


async def read_cloud(url: str, transport: AsyncHttpTransport[Any, Any]) -> Cloud:
    """Return the cloud that a URL describes. The request has no token.

    Raises
    ------
    NotConnectedError
        The URL does not answer, or not with the endpoints of a cloud.
    """
    from azure.core import AsyncPipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import AsyncRetryPolicy, UserAgentPolicy
    from azure.core.rest import HttpRequest

    from batchimg_magics.core.azure.pipeline import USER_AGENT
    from batchimg_magics.core.azure.sign_in_errors import connection_hint

    where = metadata_url(url)
    policies: list[Any] = [UserAgentPolicy(USER_AGENT), AsyncRetryPolicy(retry_total=1)]
    client: AsyncPipelineClient[HttpRequest, Any] = AsyncPipelineClient(where, transport=transport, policies=policies)
    try:
        response = await client.send_request(HttpRequest("GET", where), **_TIMEOUTS)
        response.raise_for_status()
        return _parse_cloud(response.json(), where)
    except (AzureError, ServiceError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise NotConnectedError(
            f"the cloud at {url} does not respond: {reason}", hint=connection_hint(reason)
        ) from error
    except (ValueError, TypeError, LookupError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else error
        raise NotConnectedError(
            f"{where} does not describe a cloud: {missing}",
            hint="--cloud needs the URL of /metadata/endpoints of its Azure Resource Manager",
        ) from error


def _parse_cloud(content: Any, where: str) -> Cloud:  # noqa: ANN401 - any JSON
    """Return the cloud of a response: one object, or a list of clouds as before 2022-09-01."""
    clouds = content if isinstance(content, list) else [content]
    if not clouds or not all(isinstance(one, dict) for one in clouds):
        raise ValueError("it has no endpoints")
    host = urlsplit(where).netloc.lower()
    found = next((one for one in clouds if _host(one) == host), clouds[0])
    manager, batch = str(found["resourceManager"]), str(found["batch"])
    authority, audiences = str(found["authentication"]["loginEndpoint"]), found["authentication"]["audiences"]
    # The metadata of Azure has no price list. The public cloud has one, and the emulator names its own.
    prices = dig(found, "batchimg", "priceList") or (AZURE_PUBLIC.price_list if manager.startswith(_PUBLIC) else None)
    for name, url in (("resourceManager", manager), ("loginEndpoint", authority), ("priceList", prices)):
        if url is not None and urlsplit(str(url)).scheme != "https":
            raise ValueError(f"its {name} is {url!r}, which is not an https URL")
    if not isinstance(audiences, list) or not audiences:
        raise ValueError("it has no audiences")
    return Cloud(
        str(found.get("name") or host),
        manager.rstrip("/"),
        f"{audiences[0]}/.default",
        f"{batch}/.default",
        authority.rstrip("/"),
        prices,
        str(found["portal"]).rstrip("/") if found.get("portal") else None,
    )


def _host(cloud: dict[str, Any]) -> str:
    return urlsplit(str(cloud.get("resourceManager"))).netloc.lower()


def is_emulator(cloud: Cloud) -> bool:
    """Tell whether a cloud is the emulator on this machine: nothing in it is billed."""
    return cloud.name == _EMULATOR and _is_this_machine(urlsplit(cloud.resource_manager).hostname or "")


def _is_this_machine(host: str) -> bool:
    """Tell whether a host is this machine; `batchimg emulator --host` takes any loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
