"""Throttling of Azure Resource Manager: token buckets, 429 and Retry-After.

The buckets belong to this process: another process with the same state has its own, like another instance of ARM.
Source: "Understand how Azure Resource Manager throttles requests".
"""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call


class Rate(msgspec.Struct, frozen=True):
    """The size of a bucket, and how many tokens are added each second."""

    burst: int
    per_second: int


evidence = Evidence("Throttling")
_RATES = evidence.documented(
    {"read": (250, 25), "write": (200, 10), "delete": (200, 10)},
    "requests",
    "at once, and more each second, from one principal to ARM in a subscription and region",
    "Microsoft's page on how ARM throttles requests",
)
evidence.rule(
    "The data plane of Batch, the price list and the sign-in service are not throttled; Compute has no own limits.",
    "Microsoft publishes no numbers for them",
)
RATES = {kind: Rate(*rate) for kind, rate in _RATES.items()}
_KINDS = {"GET": "read", "HEAD": "read", "OPTIONS": "read", "DELETE": "delete"}
_HEADERS = "x-ms-ratelimit-remaining-subscription-{kind}s"


class _Bucket(msgspec.Struct):
    tokens: float
    updated: float


class Throttle(msgspec.Struct):
    """The token buckets of one instance of ARM: by principal, subscription, region and kind of request."""

    _buckets: dict[tuple[str, ...], _Bucket] = msgspec.field(default_factory=dict)

    def take(self, call: Call, now: float) -> dict[str, str]:
        """Count a request, and return the header with the number of remaining requests.

        Parameters
        ----------
        call
            The request; its token identifies the principal.
        now
            The simulated time in seconds.

        Raises
        ------
        Refusal
            429: too many requests.
        """
        kind = _KINDS.get(call.method, "write")
        rate = RATES[kind]
        subscription = _subscription(call.path)
        principal = call.headers.get("authorization", "")
        # A regional host of ARM is a separate instance.
        bucket = self._buckets.setdefault((principal, subscription, call.host, kind), _Bucket(rate.burst, now))
        if now < bucket.updated:  # the state was replaced by an older one
            bucket.tokens, bucket.updated = rate.burst, now
        bucket.tokens = min(rate.burst, bucket.tokens + (now - bucket.updated) * rate.per_second)
        bucket.updated = now
        header = _HEADERS.format(kind=kind)
        if bucket.tokens < 1:
            raise _refusal(kind, subscription, principal, math.ceil((1 - bucket.tokens) / rate.per_second), header)
        bucket.tokens -= 1
        return {header: str(int(bucket.tokens))}


def _subscription(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].lower() == "subscriptions" else ""


def _refusal(kind: str, subscription: str, principal: str, seconds: int, header: str) -> Refusal:
    actor = uuid.uuid5(uuid.NAMESPACE_OID, principal)  # never the token itself
    message = (
        f"Number of '{kind}' requests for subscription '{subscription}' actor '{actor}' exceeded. Please try again "
        f"after '{seconds}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for "
        "additional information."
    )
    headers = {"Retry-After": str(seconds), header: "0"}
    return Refusal(429, "SubscriptionRequestsThrottled", message, headers=headers)
