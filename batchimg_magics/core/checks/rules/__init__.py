"""The rules that an image and a pool have to keep, one small function each, by subject.

Azure finds out about most of them late: after half an hour, or with nodes that are billed and never usable.
"""

from __future__ import annotations

# In the order of the table: each registers its rules as it is imported.
from batchimg_magics.core.checks.rules import system  # isort: skip
from batchimg_magics.core.checks.rules import disks  # isort: skip
from batchimg_magics.core.checks.rules import images  # isort: skip
from batchimg_magics.core.checks.rules import direct  # isort: skip
from batchimg_magics.core.checks.rules import vm_size  # isort: skip
from batchimg_magics.core.checks.rules import network  # isort: skip
from batchimg_magics.core.checks.rules import pool  # isort: skip
from batchimg_magics.core.checks.rules import access  # isort: skip
from batchimg_magics.core.checks.rules.rule import RULES, Finding, Rule

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "access",
    "direct",
    "disks",
    "images",
    "network",
    "pool",
    "system",
    "vm_size",
]
