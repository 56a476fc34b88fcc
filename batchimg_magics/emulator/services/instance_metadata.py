"""The instance metadata service, as far as managed identities use it.

Clients ask it at a fixed address, http://169.254.169.254, and azure-identity at the one in
``AZURE_POD_IDENTITY_AUTHORITY_HOST``. Source: "How to use managed identities for Azure resources on an Azure VM to
acquire an access token".
"""

from __future__ import annotations

import uuid

from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.tokens import LIFETIME_S, TokenIssuer
from batchimg_magics.emulator.services.subscriptions import SUBSCRIPTIONS
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Managed identities")
evidence.rule(
    "The machine of the client is a VM `hub-vm` with a system-assigned identity, and has every user-assigned identity.",
    "the machine of the client is not part of the emulator",
)
routes = Routes("login", versioned=False)
#: The parameters that name a user-assigned identity.
_NAMES = ("client_id", "object_id", "msi_res_id", "mi_res_id")


@routes.on("GET", "/metadata/identity/oauth2/token")
def get_token(call: Call) -> Reply:
    """Answer with a token of the managed identity of the machine."""
    if call.headers.get("metadata", "").lower() != "true":
        raise Refusal(400, "invalid_request", "Required metadata header not specified")
    if "x-forwarded-for" in call.headers:
        raise Refusal(400, "invalid_request", "The request was forwarded by a proxy")
    resource = call.query.get("resource", "")
    if not resource:
        raise Refusal(400, "invalid_resource", "AADSTS50001: The resource parameter is missing.")
    who = _identity(call)
    token, until = TokenIssuer(call.store).issue(resource, who=who)
    return Reply(
        200,
        {
            "access_token": token,
            "client_id": who["appid"],
            "expires_in": str(LIFETIME_S),
            "expires_on": str(until),
            "ext_expires_in": str(LIFETIME_S),
            "not_before": str(until - LIFETIME_S),
            "resource": resource,
            "token_type": "Bearer",
        },
    )


def _identity(call: Call) -> dict[str, str]:
    """Return the claims of the requested identity."""
    names = [item.doc["subscriptionId"] for item in call.store.items(SUBSCRIPTIONS, "/subscriptions")]
    group = f"/subscriptions/{(names or [uuid.UUID(int=0)])[0]}/resourcegroups/hub/providers"
    named = next((call.query[name] for name in _NAMES if call.query.get(name)), "")
    if not named:
        resource = f"{group}/Microsoft.Compute/virtualMachines/hub-vm"
    elif named.startswith("/"):
        resource = named
    else:
        resource = f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/identity-{named.partition('-')[0]}"
    client = call.query.get("client_id") or str(uuid.uuid5(uuid.NAMESPACE_OID, resource.lower()))
    own = call.query.get("object_id") or str(uuid.uuid5(uuid.NAMESPACE_OID, client))
    return {"appid": client, "oid": own, "sub": own, "idtyp": "app", "xms_mirid": resource}
