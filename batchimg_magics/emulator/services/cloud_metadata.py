"""The endpoints of this cloud, by which clients find its services, as those of Microsoft's clouds do."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.messages import Call, Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Cloud metadata")
evidence.rule(
    "The metadata has a member `batchimg.priceList`, which the metadata of Azure does not have.",
    "no document names a price list of a cloud",
)
#: Before this version, one object with few members; from it on, a list of clouds.
_LIST_SINCE = "2019-05-01"
#: From this version on, one object. Source: go-azure-sdk, whose client reads both forms.
_OBJECT_SINCE = "2022-09-01"
#: The ends of host names, as in the metadata of Azure. They lead nowhere from here: the emulator has none of these
#: services.
_SUFFIXES = {
    "acrLoginServer": "azurecr.io",
    "attestationEndpoint": "attest.azure.net",
    "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
    "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
    "azureFrontDoorEndpointSuffix": "azurefd.net",
    "keyVaultDns": "vault.azure.net",
    "mariadbServerEndpoint": "mariadb.database.azure.com",
    "mhsmDns": "managedhsm.azure.net",
    "mysqlServerEndpoint": "mysql.database.azure.com",
    "postgresqlServerEndpoint": "postgres.database.azure.com",
    "sqlServerHostname": "database.windows.net",
    "storage": "core.windows.net",
    "storageSyncEndpointSuffix": "afs.azure.net",
    "synapseAnalytics": "dev.azuresynapse.net",
}
routes = Routes("arm", versioned=False)


@routes.on("GET", "/metadata/endpoints")
def get_endpoints(call: Call) -> Reply:
    """Answer with the endpoints of the services of this cloud, in the form of the api-version."""
    cloud, version = _cloud(call), call.query.get("api-version", "")
    if version >= _OBJECT_SINCE:
        return Reply(200, cloud)
    return Reply(200, [cloud] if version >= _LIST_SINCE else _legacy_endpoints(cloud))


def _cloud(call: Call) -> dict[str, Any]:
    bare = planes.is_local(call.host)
    login = call.base if bare else f"https://{planes.LOGIN_HOST}"
    manager = call.base if bare else f"https://{planes.ARM_HOST}"
    return {
        "name": "BatchimgLocal",
        "portal": manager,
        "authentication": {
            "loginEndpoint": login,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": manager,
        "graphAudience": manager,
        "graph": manager,
        "resourceManager": manager,
        "batch": "https://batch.core.windows.net/",
        "batchimg": {"priceList": f"{call.base if bare else f'https://{planes.PRICES_HOST}'}/api/retail/prices"},
        "activeDirectoryDataLake": manager,
        "gallery": manager,
        "sqlManagement": manager,
        "vmImageAliasDoc": manager,
        "microsoftGraphResourceId": manager,
        "appInsightsResourceId": manager,
        "appInsightsTelemetryChannelResourceId": manager,
        "attestationResourceId": manager,
        "logAnalyticsResourceId": manager,
        "ossrdbmsResourceId": manager,
        "synapseAnalyticsResourceId": manager,
        "suffixes": _SUFFIXES,
    }


def _legacy_endpoints(cloud: dict[str, Any]) -> dict[str, Any]:
    """Return the endpoints in the format for clients without a newer api-version."""
    return {
        "galleryEndpoint": cloud["gallery"],
        "graphEndpoint": cloud["graph"],
        "portalEndpoint": cloud["portal"],
        "authentication": {
            "loginEndpoint": cloud["authentication"]["loginEndpoint"],
            "audiences": cloud["authentication"]["audiences"],
        },
    }
