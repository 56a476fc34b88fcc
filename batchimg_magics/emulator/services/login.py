"""Sign-in: the OpenID configuration, and a token endpoint that accepts every credential.

So the Azure CLI, npm clients and azure-identity can use the emulator. Secrets are not checked: the tokens are valid for
this emulator state only. What a person does in a browser is in `interactive_sign_in`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.http import planes, tokens
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.tokens import LIFETIME_S, TokenIssuer, encode, tenant_id
from batchimg_magics.emulator.services import interactive_sign_in
from batchimg_magics.emulator.services.subscriptions import SUBSCRIPTIONS
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Sign-in")
evidence.rule("Every sign-in gets a token, with any secret.", "identities are not simulated")
evidence.rule(
    "Every tenant exists, and every domain name is one of the emulator's own tenant.", "tenants are not simulated"
)
routes = Routes("login", versioned=False)
arm_routes = Routes("arm")
_CLIENT_GRANTS = frozenset({"client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"})
_USER_GRANTS = frozenset({"password", "refresh_token"})


@arm_routes.on("GET", "/tenants")
def list_tenants(call: Call) -> Reply:
    """Answer with the tenants of the caller."""
    found = [str(item.doc.get("tenantId") or "") for item in call.store.items(SUBSCRIPTIONS, "/subscriptions")]
    names = sorted({tenant_id(name) for name in found} | {tokens.TENANT})
    rows = [
        {"id": f"/tenants/{name}", "tenantId": name, "displayName": "Emulator", "tenantCategory": "Home"}
        for name in names
    ]
    return Reply(200, {"value": rows})


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
    """Issue a token for the requested audience, with any secret."""
    form = call.body if isinstance(call.body, dict) else {}
    grant = form.get("grant_type", "")
    if not grant:
        raise Refusal(400, "invalid_request", "AADSTS900144: The request body must contain 'grant_type'.")
    nonce = ""
    if grant in interactive_sign_in.GRANTS:
        nonce = interactive_sign_in.redeem(call, grant, form)
    elif grant not in _CLIENT_GRANTS | _USER_GRANTS:
        message = f"AADSTS70003: The app requested an unsupported grant type '{grant}'."
        raise Refusal(400, "unsupported_grant_type", message)
    is_user = grant not in _CLIENT_GRANTS
    asked = str(form.get("scope") or form.get("resource") or "")
    audience = next((one for one in asked.split() if "://" in one), f"https://{planes.ARM_HOST}/.default")
    who = tokens.USER if is_user else _application(str(form.get("client_id", "")))
    issuer = TokenIssuer(call.store)
    token, until = issuer.issue(audience.removesuffix("/.default"), call.params["tenant"], who)
    body = {
        "token_type": "Bearer",
        "scope": asked,
        "expires_in": LIFETIME_S,
        "ext_expires_in": LIFETIME_S,
        "expires_on": str(until),
        "resource": audience.removesuffix("/.default"),
        "access_token": token,
    }
    if is_user:
        body |= {"refresh_token": "simulated", "id_token": _id_token(call, form, until, nonce)}
    if form.get("client_info"):
        body["client_info"] = _client_info(call.store)
    return Reply(200, body)


def _application(client: str) -> dict[str, str]:
    """Return the claims of an application; its object id differs from its client id."""
    own = str(uuid.uuid5(uuid.NAMESPACE_OID, client.lower()))
    return {"appid": client, "oid": own, "sub": own, "idtyp": "app"}


def _id_token(call: Call, form: dict[str, str], until: int, nonce: str) -> str:
    """Return who signed in, for the client. Nothing checks its signature."""
    tenant = tenant_id(call.params["tenant"])
    claims: dict[str, Any] = {
        "aud": form.get("client_id", ""),
        "iss": f"{call.base}/{tenant}/v2.0",
        "tid": tenant,
        "sub": tokens.USER["oid"],
        "oid": tokens.USER["oid"],
        "name": tokens.USER["name"],
        "preferred_username": tokens.USER["upn"],
        "iat": until - LIFETIME_S,
        "nbf": until - LIFETIME_S,
        "exp": until,
    }
    return f"{encode({'typ': 'JWT', 'alg': 'none'})}.{encode(claims | ({'nonce': nonce} if nonce else {}))}."


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
