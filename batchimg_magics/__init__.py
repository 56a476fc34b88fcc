"""Turn one prepared Azure VM into an Azure Batch pool of any size, from a notebook; with an Azure emulator.

``%load_ext batchimg_magics`` loads ``%batchimg``; `Session` has the same verbs as Python methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from batchimg_magics.errors import (
        AuthenticationError,
        BatchImgError,
        BudgetError,
        ConflictError,
        DetachedError,
        InUseError,
        LockError,
        NotConnectedError,
        NotFoundError,
        PolicyError,
        ProvisioningError,
        ResizeError,
        ServiceError,
        SpecError,
        ThrottledError,
        WaitTimeoutError,
    )
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.session.pool import Pool
    from batchimg_magics.session.progress import ProgressEvent, ProgressStep
    from batchimg_magics.ui.notebook_session import Session

__all__ = [
    "AuthenticationError",
    "BatchImgError",
    "BudgetError",
    "ConflictError",
    "DetachedError",
    "InUseError",
    "LockError",
    "NotConnectedError",
    "NotFoundError",
    "PolicyError",
    "Pool",
    "PoolSpec",
    "ProgressEvent",
    "ProgressStep",
    "ProvisioningError",
    "ResizeError",
    "ServiceError",
    "Session",
    "SpecError",
    "ThrottledError",
    "WaitTimeoutError",
    "load_ipython_extension",
    "unload_ipython_extension",
]

#: The modules of the public names that are not errors.
_HOMES = {
    "Pool": "session.pool",
    "PoolSpec": "pool_spec.pool",
    "ProgressEvent": "session.progress",
    "ProgressStep": "session.progress",
    "Session": "ui.notebook_session",
}


def __getattr__(name: str) -> object:
    # Modules are imported on first use, so that `%load_ext` is fast.
    if name == "__version__":
        from importlib import metadata

        return metadata.version(__name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%batchimg`` and its completion; IPython calls this for ``%load_ext batchimg_magics``."""
    from batchimg_magics.ui import magics

    magics.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove ``%batchimg`` and close its connection."""
    from batchimg_magics.ui import magics

    magics.unload(shell)
