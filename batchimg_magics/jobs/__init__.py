"""The verbs as jobs for a session's loop.

Each takes its options apart at once, and raises when they make no sense; what it returns does the work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.jobs.job import VerbCall

__all__ = ["find_verb_call"]

#: Module to the verbs whose jobs it has: it is imported with the first of them.
_MODULES = {
    "checks": ("check",),
    "images": ("vms", "images", "orphans", "migrate", "packer"),
    "nodes": ("nodes",),
    "pools": ("pools", "create", "plan", "delete"),
    "resizing": ("resize", "repair", "autoscale", "reap", "history", "wait", "stop", "size"),
}


def find_verb_call(verb: str) -> Callable[..., VerbCall]:
    """Return the job of a verb."""
    home = next(home for home, verbs in _MODULES.items() if verb in verbs)
    job: Callable[..., VerbCall] = import_module(f"{__name__}.{home}").JOBS[verb]
    return job
