"""Who is signed in, read from an access token. Nothing in it is checked: that is Azure's part."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Identity", "read_identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, a service principal or a managed identity.

    Parameters
    ----------
    kind
        ``user``, ``service principal`` or ``managed identity``.
    name
        The sign-in name of a user, the name of a managed identity; empty if the token has none.
    client_id
        The client id of an application or a managed identity; empty for a user.
    object_id
        The object id in the tenant.
    tenant
        The id of the tenant.
    """

    kind: str
    name: str = ""
    client_id: str = ""
    object_id: str = ""
    tenant: str = ""

    def __str__(self) -> str:
        ids = (
            f"client id {self.client_id}" if self.client_id else f"object id {self.object_id}" if not self.name else ""
        )
        words = [self.kind, *([self.name] if self.name else []), *([f"({ids})"] if ids else [])]
        return " ".join(words)


def read_identity(token: str) -> Identity | None:
    """Return whom an access token names; None if it is not readable.

    Sources: "Access token claims reference" of the Microsoft identity platform, and for ``xms_mirid`` the documents of
    managed identities: the resource id of the identity, or of its machine.
    """
    claims = _claims(token)
    if claims is None:
        return None

    def text(*names: str) -> str:
        return next((value for name in names if isinstance(value := claims.get(name), str) and value), "")

    client, own, tenant = text("appid", "azp"), text("oid", "sub"), text("tid")
    if resource := text("xms_mirid"):
        return Identity("managed identity", resource.rstrip("/").rpartition("/")[2], client, own, tenant)
    if user := text("upn", "preferred_username", "unique_name", "email"):
        # Of a guest from elsewhere: live.com#ada@example.org
        return Identity("user", user.rpartition("#")[2] or user, "", own, tenant)
    if client or text("idtyp") == "app":
        return Identity("service principal", text("app_displayname"), client, own, tenant)
    return Identity("user", text("name"), "", own, tenant) if own else None


def _claims(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
