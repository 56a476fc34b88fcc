"""Sign-in: the endpoints of the cloud, the OpenID configuration, and a token endpoint that accepts every credential.

So the Azure CLI, npm clients and `DefaultAzureCredential` can use the emulator. Credentials are not checked: the tokens
are valid for this emulator state only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.http import planes, tokens
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.tokens import LIFETIME_S, TokenIssuer, encode
from batchimg_magics.emulator.services.subscriptions import SUBSCRIPTIONS
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Sign-in")
evidence.rule("Every sign-in gets a token, with any secret.", "identities are not simulated")
endpoint_routes = Routes("arm", versioned=False)
routes = Routes("login", versioned=False)
arm_routes = Routes("arm")


@endpoint_routes.on("GET", "/metadata/endpoints")
def get_endpoints(call: Call) -> Reply:
    """Answer with the endpoints of the services of this cloud."""
    bare = call.host in planes.LOCAL_HOSTS
    login = call.base if bare else f"https://{planes.LOGIN_HOST}"
    manager = call.base if bare else f"https://{planes.ARM_HOST}"
    cloud = {
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
        "activeDirectoryDataLake": manager,
        "gallery": manager,
        "sqlManagement": manager,
        "vmImageAliasDoc": manager,
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
        },
    }
    older = call.query.get("api-version", "") < "2019-05-01"
    return Reply(200, _legacy_endpoints(cloud) if older else [cloud])


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


@arm_routes.on("GET", "/tenants")
def list_tenants(call: Call) -> Reply:
    """Answer with the tenants of the caller."""
    names = sorted({_tenant(item.doc) for item in call.store.items(SUBSCRIPTIONS, "/subscriptions")} or {_tenant({})})
    rows = [
        {"id": f"/tenants/{name}", "tenantId": name, "displayName": "Emulator", "tenantCategory": "Home"}
        for name in names
    ]
    return Reply(200, {"value": rows})


def _tenant(subscription: dict[str, Any]) -> str:
    return str(subscription.get("tenantId") or tokens.TENANT)


# -- the sign-in service -----------------------------------------------------------------------------------------


def _configuration(call: Call) -> Reply:
    tenant = call.params["tenant"]
    issuer_url = f"{call.base}/{tenant}"
    return Reply(
        200,
        {
            "issuer": f"{issuer_url}/v2.0",
            "authorization_endpoint": f"{issuer_url}/oauth2/v2.0/authorize",
            "token_endpoint": f"{issuer_url}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{issuer_url}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{issuer_url}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "tenant_region_scope": None,
            "cloud_instance_name": "batchimg.local",
        },
    )


def _token(call: Call) -> Reply:
    """Issue a token for the requested audience, with any credential."""
    form = call.body if isinstance(call.body, dict) else {}
    if not form.get("grant_type"):
        raise Refusal(400, "invalid_request", "AADSTS900144: The request body must contain 'grant_type'.")
    asked = str(form.get("scope") or form.get("resource") or "")
    audience = next((one for one in asked.split() if "://" in one), f"https://{planes.ARM_HOST}/.default")
    token, until = TokenIssuer(call.store).issue(audience.removesuffix("/.default"), tenant=call.params["tenant"])
    body = {
        "token_type": "Bearer",
        "scope": asked,
        "expires_in": LIFETIME_S,
        "ext_expires_in": LIFETIME_S,
        "expires_on": str(until),
        "resource": audience.removesuffix("/.default"),
        "access_token": token,
        "refresh_token": "simulated",
    }
    if form.get("client_info"):
        body["client_info"] = _client_info(call.store)
    return Reply(200, body)


def _client_info(store: Store) -> str:
    """Return the identity of the caller in the format of the sign-in libraries."""
    return encode({"uid": str(store.meta("seed")), "utid": tokens.TENANT})


def _discovery(call: Call) -> Reply:
    """Answer that this host is a valid authority: sign-in libraries check authorities that they do not know."""
    host = call.base.partition("://")[2]
    row = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    configuration_url = f"{call.base}/{tokens.TENANT}/v2.0/.well-known/openid-configuration"
    return Reply(200, {"tenant_discovery_endpoint": configuration_url, "api-version": "1.1", "metadata": [row]})


routes.on("GET", "/{tenant}/v2.0/.well-known/openid-configuration")(_configuration)
routes.on("GET", "/{tenant}/.well-known/openid-configuration")(_configuration)
routes.on("POST", "/{tenant}/oauth2/v2.0/token")(_token)
routes.on("POST", "/{tenant}/oauth2/token")(_token)
routes.on("GET", "/{tenant}/discovery/instance")(_discovery)
routes.on("GET", "/{tenant}/discovery/v2.0/keys")(lambda _: Reply(200, {"keys": []}))
