"""Batch accounts whose data plane cannot be reached from every network.

Source: "Configure public network access with Azure Batch accounts": with public access disabled, and with selected
networks only, the account endpoint refuses all others; Azure Resource Manager is not restricted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import AuthenticationError, ServiceError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.errors import BatchImgError

__all__ = ["PRIVATE_HINT", "explain_refusal", "restriction_of"]

PRIVATE_HINT = (
    "run this in a network with a private endpoint of the account, for example on a VM or JupyterHub there; or let an "
    "owner of the account allow the address of this machine in the account's networking settings"
)


def restriction_of(account: Json) -> str:
    """Return which networks a Batch account can be reached from, as a clause; empty where from all."""
    access = str(dig(account, "properties", "publicNetworkAccess") or "Enabled")
    if access.lower() != "enabled":
        return f"its public network access is {access}"
    default = str(dig(account, "properties", "networkProfile", "accountAccess", "defaultAction") or "Allow")
    return "" if default.lower() == "allow" else "it allows selected networks only"


def explain_refusal(failure: BatchImgError, error: AzureError, account: Json | None) -> BatchImgError:
    """Return the error for a refusal: of an account that cannot be reached from here, it says so.

    Parameters
    ----------
    failure
        The error of this package.
    error
        The error of azure-core.
    account
        The document of the account, if it was read.
    """
    # A policy or a lock is an error of its own type.
    is_refusal = type(failure) in (AuthenticationError, ServiceError)
    if account is None or not is_refusal or not isinstance(failure, ServiceError) or failure.status_code != 403:
        return failure
    restriction, response = restriction_of(account), getattr(error, "response", None)
    if not restriction or response is None:
        return failure
    endpoint = str(dig(account, "properties", "accountEndpoint"))
    if urlsplit(response.request.url).netloc.lower() != endpoint.partition("/")[0].lower():
        return failure  # Azure Resource Manager has refused it
    name = account["name"]
    return AuthenticationError(
        f"Batch account {name} is private: {restriction}, and it refuses requests from this network ({failure})",
        hint=PRIVATE_HINT,
        status_code=failure.status_code,
        code=failure.code,
        request_id=failure.request_id,
    )
