"""The start task as the nodes get it: with the proof that the software is there."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batchimg_magics.spec.start_task import StartTask

if TYPE_CHECKING:
    from batchimg_magics.spec.shape import Shape

__all__ = ["started"]


def started(shape: Shape, os_type: str) -> StartTask | None:
    """Return a pool's start task, with its check command after it; None where there is neither.

    Batch runs command lines without a shell, so that joining two takes one.

    Parameters
    ----------
    shape
        What the nodes are.
    os_type
        ``Linux`` or ``Windows``, in any case.
    """
    task = shape.start_task
    if shape.check_command is None:
        return task
    both = " && ".join([*([task.command_line] if task else []), shape.check_command])
    line = f'cmd /c "{both}"' if os_type.lower() == "windows" else f"/bin/bash -c {shlex.quote(both)}"
    if task is None:
        return StartTask(command_line=line)
    # A node that need not wait for it would take tasks without the proof.
    return task.model_copy(update={"command_line": line, "wait_for_success": True})
