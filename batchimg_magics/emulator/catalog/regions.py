"""Azure's public regions: programmatic name and display name. Other names are used as they are."""

from __future__ import annotations

#: Source: Microsoft's list of Azure regions. Those with ``euap`` are Azure's early-update regions and occur in
#: recordings.
DISPLAY_NAMES = {
    "australiacentral": "Australia Central",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "brazilsouth": "Brazil South",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "centralindia": "Central India",
    "centralus": "Central US",
    "centraluseuap": "Central US EUAP",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "eastus2euap": "East US 2 EUAP",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "israelcentral": "Israel Central",
    "italynorth": "Italy North",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "mexicocentral": "Mexico Central",
    "newzealandnorth": "New Zealand North",
    "northcentralus": "North Central US",
    "northeurope": "North Europe",
    "norwayeast": "Norway East",
    "polandcentral": "Poland Central",
    "qatarcentral": "Qatar Central",
    "southafricanorth": "South Africa North",
    "southcentralus": "South Central US",
    "southeastasia": "Southeast Asia",
    "southindia": "South India",
    "spaincentral": "Spain Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "uaenorth": "UAE North",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "westcentralus": "West Central US",
    "westeurope": "West Europe",
    "westindia": "West India",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
}

#: The regions with availability zones. Source: Azure's page of availability zones, in part.
REGIONS_WITH_ZONES = frozenset(
    {"eastus", "eastus2", "centralus", "southcentralus", "westus2", "westus3", "northeurope", "westeurope", "uksouth"}
)


def display_name(name: str) -> str:
    """Return the display name of a region, given either of its names."""
    return DISPLAY_NAMES.get(region_name(name), name)


def region_name(name: object) -> str:
    """Return the programmatic name of a region: ``eastus2`` for ``East US 2``."""
    return str(name).replace(" ", "").lower()
