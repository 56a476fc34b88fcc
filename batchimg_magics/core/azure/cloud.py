"""An Azure cloud: the hosts of its services, and the scopes of tokens for them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AZURE_CHINA", "AZURE_CLOUDS", "AZURE_PUBLIC", "AZURE_US_GOVERNMENT", "Cloud"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud.

    Parameters
    ----------
    name
        Its name, as the Azure CLI has it.
    resource_manager
        The URL of Azure Resource Manager, without a slash at the end.
    arm_scope, batch_scope
        The scopes of tokens for Azure Resource Manager, and for the data plane of Batch accounts.
    authority
        The URL at which Microsoft Entra ID signs in.
    price_list
        The URL of the retail price list; None: the cloud has none, and all prices are unknown.
    portal
        The URL of its portal; None: not known.
    """

    name: str
    resource_manager: str
    arm_scope: str
    batch_scope: str
    authority: str
    price_list: str | None = None
    portal: str | None = None


# Sources: `get_arm_endpoints` of azure-mgmt-core for Azure Resource Manager, azure-identity's AzureAuthorityHosts for
# the authorities, `azure.cli.core.cloud` for the audiences of Batch, the metadata of Azure Resource Manager for the
# portals, and the overview of Azure Retail Prices, which covers the public cloud.
AZURE_PUBLIC = Cloud(
    "AzureCloud",
    "https://management.azure.com",
    "https://management.azure.com/.default",
    "https://batch.core.windows.net//.default",
    "https://login.microsoftonline.com",
    "https://prices.azure.com/api/retail/prices",
    "https://portal.azure.com",
)
AZURE_US_GOVERNMENT = Cloud(
    "AzureUSGovernment",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net/.default",
    "https://batch.core.usgovcloudapi.net//.default",
    "https://login.microsoftonline.us",
    portal="https://portal.azure.us",
)
AZURE_CHINA = Cloud(
    "AzureChinaCloud",
    "https://management.chinacloudapi.cn",
    "https://management.chinacloudapi.cn/.default",
    "https://batch.chinacloudapi.cn//.default",
    "https://login.chinacloudapi.cn",
    portal="https://portal.azure.cn",
)
#: The clouds of Microsoft, by name.
AZURE_CLOUDS = {cloud.name: cloud for cloud in (AZURE_PUBLIC, AZURE_US_GOVERNMENT, AZURE_CHINA)}
