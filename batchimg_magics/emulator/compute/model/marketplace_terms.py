"""Purchase plans of Marketplace images, and the terms that a subscription has accepted.

Source: Microsoft's OpenAPI of Microsoft.MarketplaceOrdering; the refusals of VMs as Azure's users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.bodies import part
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.platform_images import PlatformImage
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

AGREEMENTS = "microsoft.marketplaceordering/agreements"
evidence = Evidence("Marketplace terms")
evidence.rule(
    "Without accepted terms a VM is refused when it is created; free offers need them, too.",
    "Azure's documents say so for images with a plan; Azure accepts the terms of some free offers itself",
)


def agreement_key(subscription: str, publisher: str, offer: str, plan: str) -> str:
    """Return the key under which the acceptance of terms is stored."""
    return f"/subscriptions/{subscription}/providers/{AGREEMENTS}/{publisher}/offers/{offer}/plans/{plan}".lower()


def is_accepted(store: Store, subscription: str, plan: dict[str, str]) -> bool:
    """Tell whether a subscription has accepted the terms of a plan."""
    item = store.get(agreement_key(subscription, plan["publisher"], plan["product"], plan["name"]))
    return item is not None and bool(item.hidden.get("accepted"))


def refuse_purchase(call: Call, image: PlatformImage) -> None:
    """Refuse a VM of an image with a plan if its body has not that plan, or its terms are not accepted."""
    plan = part(call.body.get("plan"), "plan")
    if not image.plan and not plan:
        return
    if not plan:
        raise _invalid(
            "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image "
            f"requires Plan information in the request. VM: '{call.path}'."
        )
    if {name: plan.get(name) for name in ("name", "publisher", "product")} != dict(_named(image.plan)):
        raise _invalid(
            "Unable to deploy from the Marketplace image or a custom image sourced from Marketplace image. The part "
            f"number in the purchase information for VM '{call.path}' is not as expected. Beware that the Plan "
            "object's properties are case-sensitive. Learn more about common virtual machine error codes."
        )
    if not is_accepted(call.store, call.params["subscription"], image.plan):
        raise _not_accepted(call, image.plan)


def _named(plan: dict[str, str]) -> dict[str, Any]:
    return plan or {"name": None, "publisher": None, "product": None}


def _invalid(message: str) -> Refusal:
    return Refusal(400, "VMMarketplaceInvalidInput", message)


def _not_accepted(call: Call, plan: dict[str, str]) -> Refusal:
    reason = (
        f"Offer with PublisherId: '{plan['publisher']}', OfferId: '{plan['product']}', PlanId: '{plan['name']}' cannot "
        "be purchased due to validation errors. You have not accepted the legal terms on this subscription: "
        f"'{call.params['subscription']}' for this plan. Before the subscription can be used, you need to accept the "
        "legal terms of the image. To read and accept legal terms, use the Azure CLI commands described at "
        "https://go.microsoft.com/fwlink/?linkid=2110637."
    )
    message = "Marketplace purchase eligibility check returned errors. See inner errors for details."
    return Refusal(400, "MarketplacePurchaseEligibilityFailed", message, details=[("BadRequest", reason)])
