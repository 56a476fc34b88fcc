"""Access tokens of the emulator. They are valid nowhere else.

They expire in real time instead of simulated time, because the SDKs use the real clock to decide whether they need a
new one.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.emulator.world.store import Store

#: Real seconds that a token is valid, as with Entra ID.
LIFETIME_S = 3600
#: The tenant of the emulator.
TENANT = "8e2f6d0b-3c41-4f7a-b5d9-61a0c7e4f928"
#: Names that stand for the tenant of whoever signs in.
_ANY_TENANT = frozenset({"", "common", "organizations", "consumers"})
#: A user of the emulator, as access tokens name one.
USER = {
    "oid": "2b7c9c52-71d7-4d1f-8c7d-0f6a2a3f1e55",
    "upn": "researcher@emulator.example",
    "name": "Researcher (emulator)",
    "idtyp": "user",
}


class TokenIssuer:
    """Issues and checks tokens.

    Parameters
    ----------
    store
        The emulator state, with the secret for signatures, so that every process with this state accepts the tokens.
    wall
        The real clock; tests replace it.
    """

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        with store.transaction(write=True):
            if store.meta("secret") is None:
                store.set_meta("secret", secrets.token_hex(32))
            self._secret = bytes.fromhex(store.meta("secret"))
        self._wall = wall

    @property
    def now(self) -> int:
        """The real time in whole seconds, by which tokens and codes expire."""
        return int(self._wall())

    def issue(
        self, audience: str, tenant: str = "", who: Mapping[str, str] = MappingProxyType(USER)
    ) -> tuple[str, int]:
        """Return a token and its expiry time.

        Parameters
        ----------
        audience
            A scope without its ``/.default``.
        tenant
            The tenant, its domain name, or a name that stands for the tenant of the caller.
        who
            The claims that name the caller.
        """
        now = self.now
        until = now + LIFETIME_S
        tid = tenant_id(tenant)
        claims = {"aud": audience.rstrip("/"), "iss": issuer(tid), "tid": tid, "iat": now, "nbf": now, "exp": until}
        head = encode({"typ": "JWT", "alg": "HS256"})
        signed = f"{head}.{encode(claims | dict(who))}"
        return f"{signed}.{self._signature(signed)}", until

    def check(self, token: str, audiences: frozenset[str]) -> tuple[str, str] | None:
        """Return what is invalid in a token as (code, message), or None."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return "InvalidAuthenticationToken", "The access token is invalid: the emulator did not issue it."
        claims = read_claims(token) or {}
        if claims["aud"] not in audiences:
            allowed = ",".join(f"'{audience}/'" for audience in sorted(audiences))
            return "InvalidAuthenticationTokenAudience", (
                f"The access token has been obtained for wrong audience or resource '{claims['aud']}'. It should "
                f"exactly match with one of the allowed audiences {allowed}."
            )
        if claims["exp"] <= self._wall():
            return "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
        return None

    def _signature(self, signed: str) -> str:
        return base64_url(hmac.new(self._secret, signed.encode(), hashlib.sha256).digest())


def encode(value: dict[str, Any]) -> str:
    """Encode a part of a token."""
    return base64_url(msgspec.json.encode(value))


def base64_url(raw: bytes) -> str:
    """Return bytes in the base64 of URLs, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@functools.lru_cache(maxsize=256)
def read_claims(token: str) -> Mapping[str, Any] | None:
    """Return the claims of a token without checking it; None if it is not of the form of the emulator's.

    A client sends one token with each request, so its claims are kept.
    """
    parts = token.split(".")
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return None
    return MappingProxyType(found) if isinstance(found, dict) else None


def tenant_id(tenant: str) -> str:
    """Return the id of a tenant by its id, its domain name, or a name that stands for the tenant of the caller.

    Every domain name is one of the emulator's own tenant.
    """
    low = tenant.lower()
    return TENANT if low in _ANY_TENANT or "." in low else low


def issuer(tenant: str) -> str:
    """Return the issuer of the tokens of a tenant."""
    return f"https://sts.windows.net/{tenant}/"
