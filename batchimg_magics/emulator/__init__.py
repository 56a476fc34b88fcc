"""The Azure emulator: what is between a VM and the nodes of a Batch pool.

It implements Azure's wire protocol and rules. It is independent: only `connection` and the command line import it,
inside functions. The wings, each on its floor: ``world`` < ``http``, ``catalog`` < ``arm`` < ``network`` < ``compute``
< ``batch`` < ``services`` < the app and its ways in: ``transport``, ``serving`` and ``server``, ``testing``.

May import: nothing else of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.emulator.app import create_app
    from batchimg_magics.emulator.emulator import Emulator, open_emulator

__all__ = ["Emulator", "create_app", "open_emulator"]

_HOMES = {"create_app": "app", "Emulator": "emulator", "open_emulator": "emulator"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # lazily, so that importing the package stays fast

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
