"""What becomes of the temporary resources of an image build that failed or was interrupted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.azure.polling import PollResult
from batchimg_magics.core.compute import image_versions, virtual_machines
from batchimg_magics.core.images import temporary
from batchimg_magics.core.images.build import TEMPORARY_RESOURCES
from batchimg_magics.core.images.temporary import FailedDeletion
from batchimg_magics.errors import BatchImgError, ConflictError, LockError

if TYPE_CHECKING:
    from batchimg_magics.core.images.build import ImageBuild
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["clean_up_after_failure", "stop_after_interruption"]

#: The longest time in seconds that an interruption waits until its one request is taken.
_STOP_TIMEOUT_S = 20.0


async def stop_after_interruption(image_build: ImageBuild) -> None:
    """Begin to deallocate the temporary VM, and do not wait: nobody does, and the same command resumes.

    A change of its tags that was just sent prevents it for a moment.
    """
    azure, vm = image_build.azure, image_build.temporary_names.vm

    async def attempt() -> PollResult[None]:
        try:
            await virtual_machines.begin_deallocation(azure, vm)
        except LockError:
            raise
        except ConflictError:
            return PollResult(done=False, value=None)
        return PollResult(done=True, value=None)

    with contextlib.suppress(BatchImgError, TimeoutError):
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await polling.poll_until(azure, attempt, what=f"stop of VM {vm.name}", timeout_s=_STOP_TIMEOUT_S)


async def clean_up_after_failure(image_build: ImageBuild) -> list[dict[str, Any]]:
    """Delete temporary resources after a step failed; return table rows about them.

    Resources that an image version in creation needs are kept: the same command resumes with them.
    """
    azure, pool = image_build.azure, image_build.spec.name
    deleted: list[ResourceId] = []
    try:
        if await _is_being_made(image_build):
            kept = await temporary.list_temporary(azure, pool, image_build.origin.vm_id)
            reason = "the image version that is being created needs it; run the same command again"
            left = [FailedDeletion(one, reason) for one in kept]
            left += await image_build.origin.restart(azure, pool)
        else:
            deleted, left = await image_build.origin.clean_up(azure, pool)
    except BatchImgError as error:
        left = [FailedDeletion(image_build.temporary_names.vm, error.message)]
    rows: list[dict[str, Any]] = []
    if deleted:
        rows.append(
            {
                "step": TEMPORARY_RESOURCES,
                "action": "deleted",
                "state": "gone",
                "detail": temporary.resources_text(deleted),
            }
        )
    rows += [
        {"step": "not deleted", "action": "kept", "state": "exists", "detail": one.reason}
        | {"resource": one.resource.name, "id": str(one.resource)}
        for one in left
    ]
    return rows


async def _is_being_made(image_build: ImageBuild) -> bool:
    if image_build.spec.direct:
        return False
    version = image_versions.version_with_hash(
        await image_versions.read_versions(image_build.azure, image_build.definition), image_build.hash
    )
    return str(dig(version, "properties", "provisioningState")) in ("Creating", "Updating")
