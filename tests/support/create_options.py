"""Options of a plain `create`, for tests that need some pool."""

from __future__ import annotations

CREATE_OPTIONS = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 20, "spot": 5}
