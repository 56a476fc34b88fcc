"""A pool and its lock file, for the tests of locks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd


@dataclass
class LockedPool:
    """A session with a pool, and the lock file of the pool."""

    session: Session
    file: Path

    def verify(self, **options: Any) -> pd.DataFrame:
        """Compare the lock with the emulator."""
        return self.session.verify(str(self.file), **options)

    def drifts(self) -> dict[str, str]:
        """Return the fields that are not as they were locked, with their status."""
        table = self.verify()
        differing = table[table.status != "ok"]
        return dict(zip(differing.field, differing.status, strict=True))


@contextlib.contextmanager
def locked_pool(folder: Path, name: str = "genomics", *, seed: int = 0, **options: Any) -> Iterator[LockedPool]:
    """Create a pool in a new emulator, and lock it.

    Parameters
    ----------
    folder, name
        The folder of the lock file, and the name of the pool.
    seed
        The seed of the emulator.
    **options
        Of `create`, beside the VM and a VM size.
    """
    with Session() as session:
        session.connect(state=":memory:", seed=seed)
        session.create(name, **{"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 2, **options})
        file = folder / f"{name}.lock.toml"
        session.lock(name, str(file))
        yield LockedPool(session, file)
