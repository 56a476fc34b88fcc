"""Azure's public regions: programmatic name and display name."""

from __future__ import annotations

from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Regions")
evidence.rule(
    "Azure Batch is not offered in the regions that Azure opened after 2024.",
    "no document lists the regions of Azure Batch; the latest recorded ones are older",
)

#: Source: Microsoft's list of Azure regions. Those with ``euap`` are Azure's early-update regions and occur in
#: recordings.
DISPLAY_NAMES = {
    "australiacentral": "Australia Central",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "austriaeast": "Austria East",
    "belgiumcentral": "Belgium Central",
    "brazilsouth": "Brazil South",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "centralindia": "Central India",
    "centralus": "Central US",
    "centraluseuap": "Central US EUAP",
    "chilecentral": "Chile Central",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "eastus2euap": "East US 2 EUAP",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "indonesiacentral": "Indonesia Central",
    "israelcentral": "Israel Central",
    "italynorth": "Italy North",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "jioindiawest": "Jio India West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "malaysiawest": "Malaysia West",
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

#: Regions of which Azure approves the customers: they are listed, but nothing is offered there. Source: the refusals of
#: resource groups in issue threads (cb-spider #527, vscode-azureresourcegroups #33).
RESTRICTED_NAMES = {
    "australiacentral2": "Australia Central 2",
    "brazilsoutheast": "Brazil Southeast",
    "francesouth": "France South",
    "germanynorth": "Germany North",
    "jioindiacentral": "Jio India Central",
    "norwaywest": "Norway West",
    "southafricawest": "South Africa West",
    "swedensouth": "Sweden South",
    "switzerlandwest": "Switzerland West",
    "uaecentral": "UAE Central",
}
#: The regions that do not offer a resource provider, by namespace in lower case.
_NOT_OFFERED = {
    "microsoft.batch": frozenset(
        {"austriaeast", "belgiumcentral", "chilecentral", "indonesiacentral", "malaysiawest", "newzealandnorth"}
    )
}
#: The regions with availability zones. Source: Azure's page of availability zones.
REGIONS_WITH_ZONES = frozenset(
    [
        *("australiaeast", "brazilsouth", "canadacentral", "centralindia", "centralus", "centraluseuap", "eastasia"),
        *("eastus", "eastus2", "eastus2euap", "francecentral", "germanywestcentral", "israelcentral", "italynorth"),
        *("japaneast", "japanwest", "koreacentral", "mexicocentral", "newzealandnorth", "northeurope", "norwayeast"),
        *("polandcentral", "qatarcentral", "southafricanorth", "southcentralus", "southeastasia", "spaincentral"),
        *("swedencentral", "switzerlandnorth", "uaenorth", "uksouth", "westeurope", "westus2", "westus3"),
    ]
)


def offered_regions(namespace: str) -> tuple[str, ...]:
    """Return the regions that offer a resource provider."""
    without = _NOT_OFFERED.get(namespace.lower(), frozenset())
    return tuple(name for name in DISPLAY_NAMES if name not in without)


def display_name(name: str) -> str:
    """Return the display name of a region, given either of its names."""
    return DISPLAY_NAMES.get(region_name(name), name)


def region_name(name: object) -> str:
    """Return the programmatic name of a region: ``eastus2`` for ``East US 2``."""
    return str(name).replace(" ", "").lower()
