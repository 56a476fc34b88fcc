"""Marketplace terms of images with a purchase plan: read, accept, and cancel them.

Source: Microsoft's OpenAPI of Microsoft.MarketplaceOrdering (2021-01-01).
"""

from __future__ import annotations

import hashlib
from typing import Any

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.catalog.platform_images import platform_images
from batchimg_magics.emulator.compute.model.marketplace_terms import AGREEMENTS, agreement_key
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

_TOP = "/subscriptions/{subscription}/providers/Microsoft.MarketplaceOrdering"
_CURRENT = f"{_TOP}/offerTypes/{{kind}}/publishers/{{publisher}}/offers/{{offer}}/plans/{{plan}}/agreements/current"
_AGREEMENT = f"{_TOP}/agreements/{{publisher}}/offers/{{offer}}/plans/{{plan}}"
_STORAGE = "https://mpcprodsa.blob.core.windows.net"
evidence = Evidence("Marketplace agreements")
evidence.rule("Signatures and links of terms lead nowhere.", "the texts of the publishers are not in the emulator")

routes = Routes("arm")


def _plan(call: Call) -> dict[str, str]:
    """Return the plan in the path of a request, or refuse one that the Marketplace does not have."""
    resources.need_subscription(call)
    wanted = tuple(call.params[name].lower() for name in ("publisher", "offer", "plan"))
    for image in platform_images().values():
        plan = image.plan
        if plan and (plan["publisher"].lower(), plan["product"].lower(), plan["name"].lower()) == wanted:
            return plan
    message = (
        f"Offer with PublisherId: '{call.params['publisher']}', OfferId: '{call.params['offer']}' not found. If this "
        "offer has been created recently, please allow up to 30 minutes for this offer to be available for deployment "
        f"in the Azure marketplace, or its plan '{call.params['plan']}' needs no terms."
    )
    raise Refusal(400, "BadRequest", message)


def _document(call: Call, plan: dict[str, str], *, signed: bool = False) -> dict[str, Any]:
    publisher, offer, name = plan["publisher"], plan["product"], plan["name"]
    key = agreement_key(call.params["subscription"], publisher, offer, name)
    item = call.store.get(key)
    accepted = item is not None and bool(item.hidden.get("accepted"))
    top = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.MarketplaceOrdering"
    tail = f"{top}/agreements/{publisher}" if signed else f"{top}/offerTypes/virtualmachine/publishers/{publisher}"
    current = "" if signed else "/agreements/current"
    text = f"{_STORAGE}/legalterms/{publisher}/{offer}/{name}.txt"
    return {
        "id": f"{tail}/offers/{offer}/plans/{name}{current}",
        "name": name,
        "type": "Microsoft.MarketplaceOrdering/offertypes",
        "properties": {
            "publisher": publisher,
            "product": offer,
            "plan": name,
            "licenseTextLink": text,
            "privacyPolicyLink": f"https://{publisher}.invalid/privacy",
            "marketplaceTermsLink": f"{_STORAGE}/marketplaceterms/3EDEF99E.txt",
            "retrieveDatetime": timestamp(item.hidden["at"] if item is not None else call.now),
            "signature": hashlib.sha256(text.encode()).hexdigest().upper(),
            "accepted": accepted,
        },
    }


def _set(call: Call, plan: dict[str, str], *, accepted: bool) -> None:
    key = agreement_key(call.params["subscription"], plan["publisher"], plan["product"], plan["name"])
    call.store.put(Item(key, AGREEMENTS, {"plan": plan}, {"accepted": accepted, "at": call.now}))


@routes.on("GET", _CURRENT)
def get_terms(call: Call) -> Reply:
    """Answer with the terms of a plan, and whether the subscription has accepted them."""
    return Reply(200, _document(call, _plan(call)))


@routes.on("PUT", _CURRENT)
def put_terms(call: Call) -> Reply:
    """Accept the terms of a plan, or not; the body has the terms as they were read."""
    plan = _plan(call)
    asked = bodies.body_of(call)["properties"]
    accepted = asked.get("accepted")
    if not isinstance(accepted, bool):
        raise bodies.missing("properties.accepted")
    shown = _document(call, plan)["properties"]
    if accepted and asked.get("signature") not in (None, shown["signature"]):
        raise Refusal(400, "BadRequest", "The signature of the terms is not valid: read them again.")
    _set(call, plan, accepted=accepted)
    return Reply(200, _document(call, plan))


@routes.on("GET", _AGREEMENT)
def get_agreement(call: Call) -> Reply:
    """Answer with the agreement of the subscription for a plan."""
    return Reply(200, _document(call, _plan(call), signed=True))


@routes.on("POST", f"{_AGREEMENT}/sign")
def sign(call: Call) -> Reply:
    """Accept the terms of a plan."""
    plan = _plan(call)
    _set(call, plan, accepted=True)
    return Reply(200, _document(call, plan, signed=True))


@routes.on("POST", f"{_AGREEMENT}/cancel")
def cancel(call: Call) -> Reply:
    """No longer accept the terms of a plan."""
    plan = _plan(call)
    _set(call, plan, accepted=False)
    return Reply(200, _document(call, plan, signed=True))


@routes.on("GET", f"{_TOP}/agreements")
def list_agreements(call: Call) -> Reply:
    """Answer with the agreements that the subscription has accepted."""
    resources.need_subscription(call)
    under = f"/subscriptions/{call.params['subscription']}"
    items = [one for one in call.store.items(AGREEMENTS, under) if one.hidden.get("accepted")]
    return Reply(200, [_document(call, one.doc["plan"], signed=True) for one in items])
