"""What the researcher asks for, validated with pydantic: `PoolSpec` and its parts, and single values.

``origin`` is where an image comes from, ``shape`` what a node is (its parts: ``start_task``, ``mounts``, ``access``),
``pool`` both with counts and the reading of YAML.
"""

from __future__ import annotations

from batchimg_magics.spec.origin import Origin
from batchimg_magics.spec.pool import PoolSpec
from batchimg_magics.spec.shape import Shape
from batchimg_magics.spec.values import closest, node_count, parse_duration, pool_name, resize_timeout

__all__ = ["Origin", "PoolSpec", "Shape", "closest", "node_count", "parse_duration", "pool_name", "resize_timeout"]
