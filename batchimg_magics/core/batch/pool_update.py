"""See to it that a pool is the one that is wanted: made, found, changed while it has no nodes, or made anew.

Azure can change what a pool's nodes are only while it has none. Nothing else is ever changed or replaced unasked.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from azure.core import MatchConditions

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, document, wire
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import pool_request, pools
from batchimg_magics.core.batch.pool_diff import Difference, differences
from batchimg_magics.errors import BatchImgError, ConflictError
from batchimg_magics.pool_spec.secrets import mask_secrets, reveal_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

PoolAction = Literal["exists", "changed", "replaced"]
#: What of a pool's document a change can take away as a whole, and what says so. Source: Batch OpenAPI,
#: PoolPatchParameter: "if you specify an empty collection"; what is left out stays as it is.
_EMPTY_VALUES = {"mountConfiguration": [], "userAccounts": [], "applicationPackages": [], "identity": {"type": "None"}}


@dataclass(frozen=True, slots=True)
class PoolDecision:
    """What is to become of a pool that is there.

    Parameters
    ----------
    fate
        Whether it stays, is changed, or is deleted and made anew.
    differing
        How it differs from the one that is wanted.
    """

    action: PoolAction
    differences: tuple[Difference, ...] = ()

    @property
    def why(self) -> str:
        """How it differs, in words."""
        return "; ".join(str(one) for one in self.differences)


def decide(found: Json, wanted: Json, *, replace: bool = False) -> PoolDecision:
    """Say what is to become of a pool that is there.

    Parameters
    ----------
    found, wanted
        ARM documents.
    replace
        Whether it may be deleted and made anew.

    Raises
    ------
    ConflictError
        It is not this tool's, or it differs and can be changed neither as it is nor by leave.
    """
    name = found["name"]
    if pools.tag_of(found, tags.POOL) is None:
        raise ConflictError(
            f"there is a pool {name!r} already, and this tool did not make it",
            hint="choose another name; `%batchimg pools` lists what there is",
            status_code=409,
        )
    said = tuple(differences(found, wanted))
    if not said:
        return PoolDecision("exists")
    if replace:
        return PoolDecision("replaced", said)
    stuck = [one for one in said if one.removes and one.group not in _EMPTY_VALUES]
    if is_empty(found) and not stuck:
        return PoolDecision("changed", said)
    why = f"a change cannot take away its {stuck[0].label}" if is_empty(found) else "it has nodes"
    raise ConflictError(
        f"there is a pool {name!r} already, and it differs: {'; '.join(map(str, said))}",
        hint=f"nothing was changed, since {why}; choose another name, or add --replace to delete it and make it anew",
        status_code=409,
    )


def is_empty(found: Json) -> bool:
    """Tell whether a pool has no nodes and none on their way."""
    props = found["properties"]
    fixed = dig(props, "scaleSettings", "fixedScale") is not None
    steady = str(props.get("allocationState")).lower() == "steady"
    return fixed and steady and not current_or_target(found).total


async def ensure_pool(
    azure: Azure,
    name: str,
    wanted: Json,
    *,
    new: bool = False,
    through: str = "arm",
    put: Callable[[Json], Awaitable[object]] | None = None,
) -> tuple[str, str]:
    """See to it that a pool is there as it is wanted.

    Parameters
    ----------
    azure, name
        Where, and which.
    wanted
        Its ARM document, secrets in it as references.
    new
        Whether none was there when it was planned: making one, which never changes one that is there, tells.
    through
        ``arm`` or ``batch``.
    put
        Asks for a new one, given its document with what the secrets stand for; None: as Azure makes pools today.

    Returns
    -------
    tuple of str
        What was done (``made``, ``found`` or ``changed``), and what was changed.

    Raises
    ------
    ConflictError
        One of that name is there and differs.
    """
    found = None if new else await pools.read(azure, name)
    action, detail = "created", ""
    if found is None:
        try:
            with _secrets_hidden(wanted):
                await (
                    put(reveal_secrets(wanted)) if put else _create_pool(azure, name, reveal_secrets(wanted), through)
                )
        except ConflictError:
            # Somebody was faster, or we were and the answer got lost: what is there decides.
            found = await pools.read(azure, name)
            if found is None:
                raise
    if found is not None:
        decision = decide(found, wanted)
        action = decision.action
        if decision.action == "changed":
            await _patch_pool(azure, found, wanted, decision, through)
            detail = ", ".join(one.label for one in decision.differences)
    # A new pool is resizing at first.
    await pools.wait_until_steady(azure, name, first_s=pools.FIRST_POLL_S if action == "created" else None)
    return action, detail


@contextmanager
def _secrets_hidden(body: Json) -> Iterator[None]:
    """Keep what the secrets in a body stand for out of the errors that sending it raises."""
    try:
        yield
    except BatchImgError as error:
        error.message, error.hint = mask_secrets(error.message, body), mask_secrets(error.hint, body)
        error.args = (error.message,)
        # The SDK's error has Azure's whole answer in it, and Azure quotes what it refuses.
        raise error from None


async def _create_pool(azure: Azure, name: str, whole: Json, through: str) -> None:
    if through == "batch":
        client = await azure.batch()
        await azure.call(client.create_pool(wire(pool_request.data_plane_body(whole, name))))
        return
    scope = azure.scope
    await azure.call(
        azure.management.pool.create(
            scope.resource_group,
            scope.account,
            name,
            wire(whole),
            # A PUT would replace a pool that somebody made meanwhile: this one only makes.
            etag="*",
            match_condition=MatchConditions.IfMissing,
        )
    )


def patch_body(wanted: Json, decision: PoolDecision) -> Json:
    """Return the part of a pool's ARM document that a change sends: what differs, and our marks."""
    groups = {one.group for one in decision.differences} | {"metadata"}
    inside, beside = wanted["properties"], {"tags", "identity"}
    body: Json = {"properties": {group: inside.get(group, _EMPTY_VALUES.get(group)) for group in groups - beside}}
    return {**body, **{group: wanted.get(group, _EMPTY_VALUES.get(group)) for group in groups & beside}}


async def _patch_pool(azure: Azure, found: Json, wanted: Json, decision: PoolDecision, through: str) -> None:
    """Change a pool without nodes, unless somebody else has changed it since it was read."""
    scope = azure.scope
    body = patch_body(wanted, decision)
    resource_tags = dict(wanted["tags"])
    if (expires := pools.tag_of(found, tags.EXPIRES)) is not None:
        # Its life goes on: it is no part of what a pool is.
        resource_tags[tags.EXPIRES] = expires
        body["properties"]["metadata"] = [*body["properties"]["metadata"], {"name": tags.EXPIRES, "value": expires}]
    with _secrets_hidden(body):
        if through == "batch":
            client = await azure.batch()
            etag = document(await azure.call(client.get_pool(found["name"])))["eTag"]
            said = wire(reveal_secrets(pool_request.data_plane_body(body)))
            await azure.call(
                client.update_pool(found["name"], said, etag=etag, match_condition=MatchConditions.IfNotModified)
            )
            return
        await azure.call(
            azure.management.pool.update(
                scope.resource_group,
                scope.account,
                found["name"],
                wire(reveal_secrets({**body, "tags": resource_tags})),
                etag=found["etag"],
                match_condition=MatchConditions.IfNotModified,
            )
        )
