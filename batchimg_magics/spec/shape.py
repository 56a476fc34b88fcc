"""What a node of a pool is: all that makes two pools' nodes different things."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Shape"]

#: Source: Batch service, taskSlotsPerNode.
MAX_TASK_SLOTS = 256


def _start_task(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


class Shape(BaseModel):
    """What a pool's nodes are.

    Parameters
    ----------
    vm_size
        Their VM size, e.g. ``Standard_D4s_v5``.
    start_task
        A command line that each node runs before it takes tasks.
    task_slots
        Tasks that run on a node at once, 1 to 256.
    subnet
        Resource id of the subnet that the nodes join.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    vm_size: Annotated[str, Field(min_length=1)]
    start_task: Annotated[str, BeforeValidator(_start_task), Field(min_length=1)] | None = None
    task_slots: Annotated[int, Field(ge=1, le=MAX_TASK_SLOTS, strict=True)] = 1
    subnet: str | None = None
