"""Names of resources that no other test has."""

from __future__ import annotations

import uuid


def random_name(prefix: str, length: int = 24) -> str:
    """Return a new name of lower-case letters and digits."""
    return (prefix + uuid.uuid4().hex)[: max(length, len(prefix) + 8)].lower()
