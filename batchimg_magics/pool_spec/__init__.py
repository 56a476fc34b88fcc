"""What the researcher asks for, validated with pydantic: `PoolSpec` and its parts, and single values.

``origin`` is where an image comes from, ``shape`` what a node is (its parts: ``start_task``, ``mounts``, ``access``),
``policy`` on what terms a pool gets its nodes, ``pool`` all of them with counts, and the reading of YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.values import (
    MIN_RESIZE_TIMEOUT_S,
    closest,
    is_pattern,
    node_count,
    parse_duration,
    pool_name,
    pool_pattern,
    resize_timeout,
    share,
)

if TYPE_CHECKING:
    from batchimg_magics.pool_spec.image_origin import Origin
    from batchimg_magics.pool_spec.node import Shape, started
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.pool_spec.resize_policy import DRAINS, Policy

__all__ = [
    "DRAINS",
    "MIN_RESIZE_TIMEOUT_S",
    "Origin",
    "Policy",
    "PoolSpec",
    "Shape",
    "closest",
    "is_pattern",
    "node_count",
    "parse_duration",
    "pool_name",
    "pool_pattern",
    "resize_timeout",
    "share",
    "started",
]
#: What pydantic is imported for, and where it lives: a command that makes no pool and resizes none does without.
_MODELS = {
    "DRAINS": "resize_policy",
    "Origin": "image_origin",
    "Policy": "resize_policy",
    "PoolSpec": "pool",
    "Shape": "node",
    "started": "node",
}


def __getattr__(name: str) -> object:
    if name not in _MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODELS[name]}"), name)
