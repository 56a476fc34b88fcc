"""Ensure that a pool exists as requested: create it, find it, change it while it has no nodes, or replace it.

Azure changes the properties of a pool's nodes only while it has no nodes. A pool is replaced only where the user asked
for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from azure.core import MatchConditions

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import document, wire
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import expiry, machine_settings, pool_request, pools
from batchimg_magics.core.batch.pool_diff import SCALE, Difference, differences
from batchimg_magics.errors import BatchImgError, ConflictError
from batchimg_magics.pool_spec.secrets import mask_secrets, reveal_secrets

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

PoolAction = Literal["exists", "changed", "replaced"]
#: Properties that a change can remove, and the value that removes them; a property that is left out is not changed.
#: Source: Batch OpenAPI, PoolPatchParameter: "if you specify an empty collection".
_EMPTY_VALUES = {
    "mountConfiguration": [],
    "userAccounts": [],
    "applicationPackages": [],
    "identity": {"type": "None"},
    "taskSchedulingPolicy": {"nodeFillType": "Spread", "jobDefaultOrder": "None"},
    "displayName": "",
}


@dataclass(frozen=True, slots=True)
class PoolDecision:
    """The decision on an existing pool.

    Parameters
    ----------
    action
        Whether it stays (``exists``), is ``changed``, or is deleted and created again (``replaced``).
    differences
        Its differences from the requested pool.
    """

    action: PoolAction
    differences: tuple[Difference, ...] = ()

    @property
    def why(self) -> str:
        """The differences as text."""
        return "; ".join(str(one) for one in self.differences)


def decide(found: Json, wanted: Json, *, replace: bool = False) -> PoolDecision:
    """Decide whether an existing pool stays, is changed or is replaced.

    Parameters
    ----------
    found, wanted
        Documents in Azure Resource Manager of the existing and the requested pool.
    replace
        Whether the pool may be deleted and created again.

    Raises
    ------
    ConflictError
        This tool did not create the pool, or it differs and may neither be changed nor replaced.
    """
    name = found["name"]
    if pools.tag_of(found, tags.POOL) is None:
        raise ConflictError(
            f"pool {name!r} already exists, and this tool did not create it",
            hint="choose another name; `%batchimg pools` lists the pools",
            status_code=409,
        )
    differing = tuple(differences(found, wanted))
    if not differing:
        return PoolDecision("exists")
    if replace:
        return PoolDecision("replaced", differing)
    if all(one.group in (SCALE, "tags") for one in differing):
        return PoolDecision("changed", differing)  # a formula and tags can change while a pool has nodes
    fixed = [one for one in differing if one.removes and one.group not in _EMPTY_VALUES]
    if is_empty(found) and not fixed:
        return PoolDecision("changed", differing)
    why = f"a change cannot remove its {fixed[0].label}" if is_empty(found) else "it has nodes"
    raise ConflictError(
        f"pool {name!r} already exists and differs: {'; '.join(map(str, differing))}",
        hint=f"nothing was changed, because {why}; choose another name, or add --replace to create it again",
        status_code=409,
    )


def is_empty(found: Json) -> bool:
    """Tell whether a pool has no nodes and requests none."""
    props = found["properties"]
    formula = machine_settings.formula(found)
    steady = str(props.get("allocationState")).lower() == "steady"
    return (not formula or expiry.is_expiry_formula(formula)) and steady and not current_or_target(found).total


async def ensure_pool(
    azure: Azure,
    name: str,
    wanted: Json,
    *,
    new: bool = False,
    through: str = "arm",
    put: Callable[[Json], Awaitable[object]] | None = None,
    expires: dt.datetime | None = None,
    idle_from: dt.datetime | None = None,
) -> tuple[str, str]:
    """Create a pool unless it exists, change it where it differs and has no nodes, and wait until it is steady.

    Parameters
    ----------
    azure, name
        The connection, and the name of the pool.
    wanted
        Its document in Azure Resource Manager, with references in place of secrets.
    new
        Whether the pool did not exist when the plan was made: then the creation is tried without a read before it.
    through
        The plane: ``arm`` or ``batch``.
    put
        Creates the pool, given its document with the values of the secrets; None: the usual request.
    expires
        When a new pool expires: its expiry is on before the first node. Of a pool that exists, a resize sets it.
    idle_from
        From when the nodes of a new pool leave without tasks; None: they stay.

    Returns
    -------
    tuple of str
        The action (``made``, ``found`` or ``changed``), and the names of the changed properties.

    Raises
    ------
    ConflictError
        A pool with this name exists and differs.
    """
    found = None if new else await pools.read(azure, name)
    action, detail = "created", ""
    if found is None:
        try:
            body = wanted if expires is None else expiry.with_expiry(wanted, expires, idle_from)
            with _secrets_hidden(wanted):
                await (put(reveal_secrets(body)) if put else _create_pool(azure, name, reveal_secrets(body), through))
        except ConflictError as error:
            if not was_faster(error):
                raise
            # Another client created it, or the response to an earlier request was lost: the existing pool decides.
            found = await pools.read(azure, name)
            if found is None:
                raise
    if found is not None:
        decision = decide(found, wanted)
        action = decision.action
        if decision.action == "changed":
            await _change_pool(azure, found, wanted, decision, through)
            detail = ", ".join(one.label for one in decision.differences)
    # A new pool begins in the allocation state resizing.
    await pools.wait_until_steady(azure, name, first_s=pools.FIRST_POLL_S if action == "created" else None)
    return action, detail


@contextmanager
def _secrets_hidden(body: Json) -> Iterator[None]:
    """Mask the values of the secrets in a body in the errors that sending it raises."""
    try:
        yield
    except BatchImgError as error:
        error.message, error.hint = mask_secrets(error.message, body), mask_secrets(error.hint, body)
        error.args = (error.message,)
        # The SDK's error has the whole response, and Azure quotes the refused values in it.
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
            # Without this condition a PUT replaces a pool that another client created meanwhile.
            etag="*",
            match_condition=MatchConditions.IfMissing,
        )
    )


def patch_body(wanted: Json, decision: PoolDecision) -> Json:
    """Return the body of a change: the properties that differ, and the ownership tags."""
    groups = {one.group for one in decision.differences} | {"metadata"}
    properties, beside = wanted["properties"], {"tags", "identity"}
    body: Json = {"properties": {group: properties.get(group, _EMPTY_VALUES.get(group)) for group in groups - beside}}
    return {**body, **{group: wanted.get(group, _EMPTY_VALUES.get(group)) for group in groups & beside}}


async def _change_pool(azure: Azure, found: Json, wanted: Json, decision: PoolDecision, through: str) -> None:
    """Change a pool; where Azure refuses it for a change at the same time, what the pool is now decides.

    The other change may be an earlier request of this one, whose answer was lost.
    """
    try:
        await _patch_pool(azure, found, wanted, decision, through)
    except ConflictError as error:
        if not was_faster(error):
            raise
        await pools.wait_until_steady(azure, found["name"])
        now = await pools.read(azure, found["name"])
        if now is None:
            raise
        if (again := decide(now, wanted)).action == "changed":
            await _patch_pool(azure, now, wanted, again, through)


async def _patch_pool(azure: Azure, found: Json, wanted: Json, decision: PoolDecision, through: str) -> None:
    """Change a pool, unless another client changed it since it was read."""
    body = patch_body(wanted, decision)
    resource_tags = tags.combined(found.get("tags") or {}, wanted["tags"])
    if (expires := pools.tag_of(found, tags.EXPIRES)) is not None:
        # The expiry stays as it is: it is not part of the requested properties.
        resource_tags[tags.EXPIRES] = expires
        body["properties"]["metadata"] = [*body["properties"]["metadata"], {"name": tags.EXPIRES, "value": expires}]
    if SCALE in body["properties"]:
        # Azure takes no formula while a pool is resized, and the resize changes the ETag.
        await pools.wait_until_steady(azure, found["name"])
        found = await pools.read(azure, found["name"]) or found
    with _secrets_hidden(body):
        if through == "batch":
            await _patch_on_data_plane(azure, found["name"], body)
            return
        await pools.patch(azure, found, reveal_secrets({**body, "tags": resource_tags}))


async def _patch_on_data_plane(azure: Azure, name: str, body: Json) -> None:
    """Change a pool on the data plane, where a formula is set with a call of its own."""
    client = await azure.batch()
    change = reveal_secrets(pool_request.data_plane_body(body))
    formula = {key: change.pop(key) for key in pool_request.FORMULA_KEYS if key in change}
    etag = document(await azure.call(client.get_pool(name)))["eTag"]
    await azure.call(client.update_pool(name, wire(change), etag=etag, match_condition=MatchConditions.IfNotModified))
    if formula.pop("enableAutoScale", False):
        await azure.call(client.enable_pool_auto_scale(name, wire(formula)))
