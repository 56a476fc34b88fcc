"""What the researcher asks for, validated with pydantic: `PoolSpec` and its parts, and single values.

``origin`` is where an image comes from, ``shape`` what a node is (its parts: ``start_task``, ``mounts``, ``access``),
``policy`` on what terms a pool gets its nodes, ``pool`` all of them with counts, and the reading of YAML.
"""

from __future__ import annotations

from batchimg_magics.spec.origin import Origin
from batchimg_magics.spec.policy import DRAINS, Policy
from batchimg_magics.spec.pool import PoolSpec
from batchimg_magics.spec.shape import Shape
from batchimg_magics.spec.start import started
from batchimg_magics.spec.values import (
    MIN_RESIZE_TIMEOUT_S,
    closest,
    is_pattern,
    node_count,
    parse_duration,
    pool_name,
    resize_timeout,
    share,
)

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
    "resize_timeout",
    "share",
    "started",
]
