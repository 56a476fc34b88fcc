"""The SDK clients on an emulator in the same process, with instant time."""

from __future__ import annotations

from typing import Any

import pytest
from azure.batch import models as batch_models
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.support.batch_clients import IMAGE, POOL, BatchClients, run_with_clients


def test_a_pool_from_its_making_to_idle_nodes_and_away() -> None:
    async def work(both: BatchClients) -> dict[str, Any]:
        made = await both.arm.pool.create(*both.where, "p", POOL, match_condition=MatchConditions.IfMissing)
        await both.until_steady("p")
        targets = batch_models.BatchPoolResizeOptions(target_dedicated_nodes=4, target_low_priority_nodes=2)
        await (await both.batch.begin_resize_pool("p", targets)).result()
        pool = await both.until_steady("p")
        while {node.state async for node in both.batch.list_nodes("p")} != {"idle"}:
            await both.azure.clock.sleep(10)
        await both.azure.clock.sleep(10)  # node counts lag
        counts = [row async for row in both.batch.list_pool_node_counts()]
        deleting = await both.arm.pool.begin_delete(*both.where, "p")
        await deleting.result()
        return {
            "vm size": made.vm_size,
            "nodes": (pool.current_dedicated_nodes, pool.current_low_priority_nodes),
            "idle": (counts[0].dedicated.idle, counts[0].low_priority.idle) if counts[0].dedicated else None,
            "left": [one.name async for one in both.arm.pool.list_by_batch_account(*both.where)],
            "clock": both.azure.clock.now(),
        }

    first, again = run_with_clients(work), run_with_clients(work)
    assert first == again
    assert (first["vm size"], first["nodes"], first["left"]) == ("STANDARD_D2S_V5", (4, 2), [])
    assert first["idle"] == (4, 2)


def test_errors_come_as_the_sdk_expects_them() -> None:
    async def work(both: BatchClients) -> tuple[str, str, str]:
        with pytest.raises(HttpResponseError) as absent:
            await both.batch.get_pool("none")
        await both.arm.pool.create(*both.where, "p", POOL)
        with pytest.raises(ResourceExistsError):
            await both.arm.pool.create(*both.where, "p", POOL, match_condition=MatchConditions.IfMissing)
        with pytest.raises(HttpResponseError) as bad:
            await both.arm.pool.create(*both.where, "q", {"properties": {"vmSize": "none"}})
        assert bad.value.error is not None
        return absent.value.model.code, str(bad.value.error.code), str(absent.value.status_code)

    assert run_with_clients(work) == ("PoolNotFound", "MissingRequiredProperty", "404")


def test_nodes_tasks_and_autoscale_through_the_sdk() -> None:
    async def work(both: BatchClients) -> dict[str, Any]:
        batch = both.batch
        machine = {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
        body = {
            "id": "p",
            "vmSize": "standard_d2s_v5",
            "virtualMachineConfiguration": machine,
            "targetDedicatedNodes": 2,
        }
        await batch.create_pool(body)  # type: ignore[arg-type] # the SDK takes JSON too
        await both.until_steady("p")
        await both.azure.clock.sleep(300)
        node = await anext(aiter(batch.list_nodes("p")))
        # Without options azure-batch 15.1 fails before it sends anything.
        how: Any = {"nodeRebootOption": "requeue"}
        await (await batch.begin_reboot_node("p", node.id, how)).result()
        await both.azure.clock.sleep(5)
        await batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})  # type: ignore[arg-type]
        await batch.create_task("j", {"id": "t", "commandLine": "sleep 60"})  # type: ignore[arg-type]
        running = {one.state async for one in batch.list_nodes("p")}
        await both.azure.clock.sleep(90)
        counts = await batch.get_job_task_counts("j")
        enable = batch_models.BatchPoolEnableAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes=1")
        await batch.enable_pool_auto_scale("p", enable)
        evaluate = batch_models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="nonsense")
        judged = await batch.evaluate_pool_auto_scale("p", evaluate)
        await both.until_steady("p")
        removed = [one async for one in batch.list_nodes("p")]
        images = [one async for one in batch.list_supported_images()]
        assert judged.error is not None
        return {
            "running": running,
            "succeeded": counts.task_counts.succeeded,
            "error": judged.error.code,
            "nodes": len(removed),
            "images": len(images) > 50,
        }

    assert run_with_clients(work) == {
        "running": {"running", "idle"},
        "succeeded": 1,
        "error": "AutoScalingFormulaEvaluationError",
        "nodes": 1,
        "images": True,
    }


def test_accounts_and_sizes_through_the_sdk() -> None:
    async def work(both: BatchClients) -> tuple[Any, ...]:
        arm = both.arm
        making = await arm.batch_account.begin_create(both.where[0], "another1", {"location": "eastus"})  # type: ignore[arg-type]
        account = await making.result()
        names = [one.name async for one in arm.batch_account.list_by_resource_group(both.where[0])]
        sizes = [one.name async for one in arm.location.list_supported_virtual_machine_skus("eastus")]
        going = await arm.batch_account.begin_delete(both.where[0], "another1")
        await going.result()
        left = [one.name async for one in arm.batch_account.list()]
        return account.provisioning_state, names, "Standard_D4s_v5" in sizes, left

    assert run_with_clients(work) == ("Succeeded", ["another1", "genomicsbatch"], True, ["genomicsbatch"])


def test_a_change_with_a_condition_fails_after_another_change() -> None:
    """The SDK writes the tag in quotes, as HTTP has it; the service shows it without."""

    async def work(both: BatchClients) -> tuple[str, int]:
        await both.arm.pool.create(*both.where, "p", POOL)
        tag = (await both.batch.get_pool("p")).etag
        for slots in (2, 3):
            changed = batch_models.BatchPoolUpdateOptions(task_slots_per_node=slots)
            condition = {"etag": tag, "match_condition": MatchConditions.IfNotModified}
            try:
                await both.batch.update_pool("p", changed, **condition)
            except HttpResponseError as error:
                return str(error.status_code), (await both.batch.get_pool("p")).task_slots_per_node or 0
        return "", 0

    assert run_with_clients(work) == ("412", 2)
