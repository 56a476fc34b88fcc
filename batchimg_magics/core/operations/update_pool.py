"""The pool's part of an update: a test node on the new image version, and the pool itself on it.

The test node is in a pool of its own with the settings of the pool, which expires by itself: the pool is not touched
before a node of the new version was ready. Batch changes the image of a pool only while it has no nodes.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, tags
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.node_counts import Counts, current_or_target, target_counts
from batchimg_magics.core.base.package_scripts import node_script
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.batch import expiry, machine_settings, pool_update, pools
from batchimg_magics.core.batch.pool_request import start_task_body
from batchimg_magics.core.images import packages
from batchimg_magics.core.operations.migrate import new_pool_body, omitted_settings
from batchimg_magics.core.scaling import controller
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import BatchImgError, ConflictError
from batchimg_magics.pool_spec.package_task import add_package_list, has_package_list
from batchimg_magics.pool_spec.resize_policy import ResizePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.pools import PoolImage

__all__ = ["PoolMove", "lost_secrets", "remove_pool", "set_metadata", "test_pool_name"]

#: How long the test pool has a node, whatever becomes of this process.
TEST_TTL_S = 2 * 3600.0
_MACHINE = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
_MAX_NAME = 64


def test_pool_name(pool: str) -> str:
    """Return the name of the pool of the test node: always the same for a pool."""
    suffix = f"-update-{tags.digest(pool.lower())[:6]}"
    return f"{pool[: _MAX_NAME - len(suffix)]}{suffix}"


def lost_secrets(pool: Json) -> str:
    """Return which settings of the machines would lose their secrets with another image; empty for none.

    Batch replaces the whole configuration of the virtual machines, and never shows the secrets in it.
    """
    machine = dig(pool, *_MACHINE) or {}
    registries = dig(machine, "containerConfiguration", "containerRegistries") or []
    parts = ["container registries"] if any(not one.get("identityReference") for one in registries) else []
    parts += ["extensions"] if machine.get("extensions") else []
    return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class PoolMove:
    """The move of a pool to another image version.

    Parameters
    ----------
    azure, pool, board
        The connection, the pool's document, and the progress display.
    how
        What happens to the nodes: ``keep`` (a pool with nodes stays as it is), ``drain`` or ``replace``.
    image
        Returns the new image, given the results of the steps.
    after
        The steps before it.
    """

    azure: Azure
    pool: Json
    board: Board
    how: str
    image: Callable[[Mapping[str, StepResult]], PoolImage]
    after: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the pool."""
        return str(self.pool["name"])

    @property
    def obstacle(self) -> str:
        """Why the pool cannot be moved now, as the predicate of a sentence; empty if it can."""
        if secrets := lost_secrets(self.pool):
            return f"has {secrets}, whose secrets Azure does not return"
        if pool_update.is_empty(self.pool):
            return ""
        formula = machine_settings.formula(self.pool)
        if formula and not expiry.is_expiry_formula(formula):
            return "has an autoscale formula"
        return "has nodes" if self.how == "keep" else ""

    @property
    def hint(self) -> str:
        """What to do about the obstacle."""
        if lost_secrets(self.pool):
            return f"move it with its description: `%batchimg create {self.name} --spec FILE --from-version NEW`"
        formula = machine_settings.formula(self.pool)
        if formula and not expiry.is_expiry_formula(formula):
            return f"`%batchimg autoscale {self.name} --off`, then the same line again with --drain"
        return (
            "the same line again with --drain lets its tasks end and moves it, with --replace --yes ends them; or "
            f"`%batchimg resize {self.name} --nodes 0 --spot 0`, then the same line again"
        )

    # -- the test node -------------------------------------------------------------------------------------------

    def test_steps(self) -> list[Step]:
        """Return the steps that start one node on the new version, wait until it is ready, and remove it."""
        azure, name = self.azure, test_pool_name(self.name)
        omitted = omitted_settings(self.pool)

        async def make(done: Mapping[str, StepResult]) -> StepResult:
            await _wait_until_deleted(azure, name)
            body = self._test_body(name, self.image(done))
            expires = expiry.expires_after(azure, TEST_TTL_S)
            action, _ = await pool_update.ensure_pool(azure, name, body, expires=expires)
            return StepResult(action, detail=omitted and f"{omitted}; its start task is left out")

        async def start(done: Mapping[str, StepResult]) -> StepResult:
            is_spot = not current_or_target(self.pool).dedicated and current_or_target(self.pool).spot
            counts = Counts(0, 1) if is_spot else Counts(1, 0)
            policy = ResizePolicy(canary=False, max_rounds=3)
            request = ResizeRequest(counts.dedicated, counts.spot, policy, grow_only=True)
            try:
                attempts = await controller.ResizeController(azure, name, request, self.board).run()
            except BatchImgError as error:
                error.hint = f"pool {self.name} stays on its image; {error.hint or 'correct the commands'}"
                await remove_pool(azure, name)
                raise
            # The node has the list of the packages of the new version, for the answer.
            await packages.keep_packages(azure, self.image(done).id, await pools.require(azure, name))
            return StepResult("created", "ready", str(attempts.attrs["nodes"]))

        resource, seconds = azure.scope.pool_id(name), pools.EXPECTED_S
        leaves = f"the test pool {name} is left; its node leaves by itself after {TEST_TTL_S / 3600:.0f} h"
        return [
            Step("test pool", resource, make, self.after, seconds["pool"], "for one node", leaves=leaves),
            Step("test node", resource, start, ("test pool",), seconds["ready"], "it must become ready", leaves=leaves),
            self.removal_step(("test node",)),
        ]

    def removal_step(self, after: tuple[str, ...]) -> Step:
        """Return the step that removes the test pool, whose node was ready."""

        async def remove(done: Mapping[str, StepResult]) -> StepResult:
            # Noted first: the test is not made again, and the same command removes the pool.
            await set_metadata(self.azure, self.name, {tags.TESTED: self.image(done).hash})
            await remove_pool(self.azure, test_pool_name(self.name))
            return StepResult("deleted", "gone")

        resource, seconds = self.azure.scope.pool_id(test_pool_name(self.name)), pools.EXPECTED_S
        return Step(
            "test pool removed", resource, remove, after, seconds["delete pool"], "the version works", "would delete"
        )

    def _test_body(self, name: str, image: PoolImage) -> Json:
        body = new_pool_body(self.pool, name, image, self.azure.resource_tags)
        props = body["properties"]
        if omitted_settings(self.pool):
            # It may need what is left out; the list of packages needs nothing.
            task = props.pop("startTask", None) or {}
            if has_package_list(str(task.get("commandLine"))):
                os_type = "Windows" if "windows" in pools.agent_of(self.pool).lower() else "Linux"
                props["startTask"] = start_task_body(add_package_list(None, os_type, node_script(os_type)))
        props["scaleSettings"] = {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}}
        network = props.get("networkConfiguration") or {}
        if str(dig(network, "publicIPAddressConfiguration", "provision")).lower() == "usermanaged":
            del network["publicIPAddressConfiguration"]  # two pools cannot use one address
        return body

    # -- the pool ------------------------------------------------------------------------------------------------

    def move_steps(self, after: tuple[str, ...]) -> list[Step]:
        """Return the steps that set the image of the pool; if it has nodes, between their removal and their return."""
        resource, seconds = self.azure.scope.pool_id(self.name), pools.EXPECTED_S
        if self.obstacle:
            why = f"pool {self.name} {self.obstacle}: it stays on its image"
            return [Step("pool", resource, self._keep, after, 0.0, why, "kept")]
        steps = []
        counts = self.counts_before
        if not pool_update.is_empty(self.pool):
            tasks = "their tasks end first" if self.how == "drain" else "their tasks are requeued"
            steps.append(
                Step(
                    "nodes removed",
                    resource,
                    self._empty,
                    after,
                    seconds["ready"],
                    f"{counts}; {tasks}",
                    "would delete",
                )
            )
        before = tuple(one.name for one in steps) or after
        steps.append(Step("pool", resource, self._set_image, before, seconds["pool"], "the new image", "would change"))
        if counts.total:
            steps.append(self.nodes_step(("pool",)))
        return steps

    def nodes_step(self, after: tuple[str, ...]) -> Step:
        """Return the step that gives the pool its nodes back."""
        resource, counts = self.azure.scope.pool_id(self.name), self.counts_before
        return Step(
            "nodes", resource, self._restore, after, pools.EXPECTED_S["ready"], f"{counts}, as before", "would create"
        )

    @property
    def counts_before(self) -> Counts:
        """The nodes that the pool had before it was emptied for this."""
        noted = pools.tag_of(self.pool, tags.NODES_BEFORE) or ""
        parts = noted.split("+")
        if len(parts) == 2 and all(one.isdigit() for one in parts):
            return Counts(*map(int, parts))
        return (
            Counts()
            if pool_update.is_empty(self.pool)
            else current_or_target(self.pool).maximum(target_counts(self.pool))
        )

    async def _keep(self, _: Mapping[str, StepResult]) -> StepResult:
        return StepResult("kept", "unchanged", f"it {self.obstacle}: {self.hint}")

    async def _empty(self, _: Mapping[str, StepResult]) -> StepResult:
        counts = self.counts_before
        # Noted first: whatever happens after it, the same command gives the pool its nodes back.
        await set_metadata(self.azure, self.name, {tags.NODES_BEFORE: f"{counts.dedicated}+{counts.spot}"})
        drain = "taskcompletion" if self.how == "drain" else "requeue"
        request = ResizeRequest(0, 0, ResizePolicy(until="steady"), drain=drain)
        await controller.ResizeController(self.azure, self.name, request, self.board).run()
        return StepResult("deleted", "gone", str(counts))

    async def _set_image(self, done: Mapping[str, StepResult]) -> StepResult:
        image = self.image(done)
        found = await pools.require(self.azure, self.name)
        if (pools.image_of(found) or "").lower() == image.id.lower():
            return StepResult("exists", detail=image.id.rpartition("/")[2])
        if not pool_update.is_empty(found):
            raise ConflictError(
                f"pool {self.name} got nodes meanwhile: it stays on its image",
                hint="the same line again goes on, with --drain or --replace --yes for a pool with nodes",
                status_code=409,
            )
        wanted = copy.deepcopy(found)
        dig(wanted, *_MACHINE)["imageReference"] = {"id": image.id}
        props = {"deploymentConfiguration": wanted["properties"]["deploymentConfiguration"]}
        await _patch(self.azure, found, {tags.IMAGE: image.hash, tags.TESTED: None}, props)
        await pools.wait_until_steady(self.azure, self.name)
        return StepResult("changed", "steady", f"image version {image.id.rpartition('/')[2]}")

    async def _restore(self, _: Mapping[str, StepResult]) -> StepResult:
        counts = self.counts_before
        request = ResizeRequest(counts.dedicated, counts.spot, ResizePolicy(canary=False), grow_only=True)
        attempts = await controller.ResizeController(self.azure, self.name, request, self.board).run()
        await set_metadata(self.azure, self.name, {tags.NODES_BEFORE: None})
        return StepResult("created", "ready", str(attempts.attrs["nodes"]))


async def remove_pool(azure: Azure, name: str) -> None:
    """Delete a pool and wait until it is gone, also if its deletion has begun; one that does not exist is no error."""
    await _wait_until_deleted(azure, name)
    if await pools.read(azure, name) is not None:
        await pools.delete(azure, name)


async def _wait_until_deleted(azure: Azure, name: str) -> None:
    """Wait until a pool whose deletion has begun is gone."""

    async def poll() -> polling.PollResult[None]:
        found = await pools.read(azure, name)
        is_deleting = str(dig(found, "properties", "provisioningState")).lower() == "deleting"
        return polling.PollResult(not is_deleting, None)

    await polling.poll_until(azure, poll, what=f"deletion of pool {name}")


async def set_metadata(azure: Azure, name: str, changed: Mapping[str, str | None]) -> None:
    """Change single entries of the metadata of a pool; None removes one."""
    await _patch(azure, await pools.require(azure, name), changed, {})


async def _patch(azure: Azure, found: Json, changed: Mapping[str, str | None], properties: Json) -> None:
    """Change a pool and entries of its metadata, unless another client changed it since it was read.

    Where Azure refuses it for another change, that may be this one, whose first answer was lost: the pool tells.
    """
    listed = {str(one["name"]): str(one.get("value")) for one in found["properties"].get("metadata") or []}
    kept = {name: value for name, value in {**listed, **changed}.items() if value is not None}
    body: Json = {"properties": {**properties, "metadata": [{"name": key, "value": one} for key, one in kept.items()]}}
    own = {key: value for key, value in changed.items() if value is not None and key in (found.get("tags") or {})}
    if own:
        body["tags"] = {**(found.get("tags") or {}), **own}
    try:
        await pools.patch(azure, found, body)
    except ConflictError as error:
        now = await pools.read(azure, str(found["name"])) if was_faster(error) else None
        if now is None or not _has(now["properties"], body["properties"]):
            raise


def _has(found: object, wanted: object) -> bool:
    """Tell whether a document has all values of another one; Azure changes the case of some."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(_has(found.get(key), value) for key, value in wanted.items())
    return str(found).lower() == str(wanted).lower()
