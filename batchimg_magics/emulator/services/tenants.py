"""Tenants: a token opens the subscriptions of its own tenant only.

Source: the text of Azure Resource Manager in an issue thread, azure-sdk-for-python #38382.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.http.tokens import issuer, read_claims, tenant_id
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Tenants")
evidence.rule(
    "The data plane of Batch does not check the tenant of a token.", "the token is refused by Resource Manager before"
)


def tenant_of(call: Call) -> str | None:
    """Return the tenant of the caller's token; None if the token does not tell."""
    claims = read_claims(call.headers.get("authorization", "").partition(" ")[2])
    found = (claims or {}).get("tid")
    return str(found) if found else None


def check(call: Call) -> None:
    """Refuse a request for a subscription of another tenant than that of the token."""
    parts = call.path.strip("/").split("/")
    if len(parts) < 2 or parts[0].lower() != "subscriptions" or (own := tenant_of(call)) is None:
        return
    item = call.store.get(f"/subscriptions/{parts[1]}")
    if item is None:
        return
    wanted = tenant_id(str(item.doc.get("tenantId") or ""))
    if wanted == own.lower():
        return
    authority = f"https://login.windows.net/{wanted}"
    message = (
        f"The access token is from the wrong issuer '{issuer(own)}'. It must match the tenant '{issuer(wanted)}' "
        f"associated with this subscription. Please use the authority (URL) '{authority}' to get the token. Note, if "
        "the subscription is transferred to another tenant there is no impact to the services, but information about "
        "new tenant could take time to propagate (up to an hour). If you just transferred your subscription and see "
        "this error message, please try back later."
    )
    asks = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
    raise Refusal(401, "InvalidAuthenticationTokenTenant", message, headers={"WWW-Authenticate": asks})
