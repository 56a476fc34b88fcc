"""All rules, in the order of the table and of docs/rules.md. Add a new module of rules here."""

from __future__ import annotations

# Each module registers its rules when it is imported.
from batchimg_magics.core.checks.rules import system  # isort: skip
from batchimg_magics.core.checks.rules import copy  # isort: skip
from batchimg_magics.core.checks.rules import disks  # isort: skip
from batchimg_magics.core.checks.rules import images  # isort: skip
from batchimg_magics.core.checks.rules import direct  # isort: skip
from batchimg_magics.core.checks.rules import vm_size  # isort: skip
from batchimg_magics.core.checks.rules import retiring  # isort: skip
from batchimg_magics.core.checks.rules import node_features  # isort: skip
from batchimg_magics.core.checks.rules import network  # isort: skip
from batchimg_magics.core.checks.rules import pool  # isort: skip
from batchimg_magics.core.checks.rules import access  # isort: skip
from batchimg_magics.core.checks.rules import governance  # isort: skip
from batchimg_magics.core.checks.rules.rule import RULES

__all__ = [
    "RULES",
    "access",
    "copy",
    "direct",
    "disks",
    "governance",
    "images",
    "network",
    "node_features",
    "pool",
    "retiring",
    "system",
    "vm_size",
]
