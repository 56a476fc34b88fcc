"""The rules for the application packages of a pool. Source: recorded refusals, and Microsoft's OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.rest.errors import refusal

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store


def check_packages(store: Store, account: Item, references: list[dict[str, Any]]) -> None:
    """Refuse references to application packages that the account does not have."""
    wrong = [(str(one.get("applicationId", "")), _problem(store, account, one)) for one in references]
    if any(why for _, why in wrong):
        raise refusal("InvalidApplicationPackageReferences", *((name, why) for name, why in wrong if why))


def _problem(store: Store, account: Item, reference: dict[str, Any]) -> str | None:
    """Return what is wrong with a pool's reference to an application package, or None."""
    key = str(reference.get("applicationId", ""))
    application = store.get(key)
    if application is None or not key.lower().startswith(f"{account.key}/applications/"):
        return "The specified application package does not exist."
    version = reference.get("version") or application.doc["properties"].get("defaultVersion")
    if not version:
        return "The specified application has no default version, and the reference names none."
    package = store.get(f"{key}/versions/{version}")
    if package is None or package.doc["properties"].get("state") != "Active":
        return "The specified version of the application package does not exist or is not active."
    return None
