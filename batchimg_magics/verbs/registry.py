"""The verbs, in the order of help: the magic, the command line, completion, `Session` and the reference use this list.

The module of a verb is imported when its entry is used.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from batchimg_magics import verbs
from batchimg_magics.errors import SpecError
from batchimg_magics.verbs import renamed

if TYPE_CHECKING:
    from batchimg_magics.verbs.verb import Verb

__all__ = ["LOCAL_VERBS", "SESSION_VERBS", "VERB_NAMES", "all_verbs", "load_verb", "unknown_verb_error"]

#: The order of help. A verb that is not named here comes after these.
_ORDER = (
    "connect", "profiles", "vms", "images", "cleanup", "migrate", "packer", "check", "pools", "show", "create", "plan",
    "update",
    "nodes", "logs", "delete", "resize", "repair", "wait", "stop-resize", "autoscale", "history", "estimate", "run",
    "results", "runs", "stop-run", "lock",
    "verify", "record", "status",
)  # fmt: skip
#: The verbs that need no connection; the session runs them itself.
LOCAL_VERBS = ("profiles", "record", "status")
#: The verbs of the front ends: no methods of `Session`.
_FRONT_END_VERBS = ("panel", "help")
#: Modules of this folder that are no verbs, beside those whose names end with ``_options``.
_OTHER_MODULES = ("registry", "renamed", "verb")


def _find_names() -> tuple[str, ...]:
    """Return the names of the verbs in this folder, a hyphen for an underscore; none of their modules is imported."""
    modules = (module.name for module in pkgutil.iter_modules(verbs.__path__))
    names = {name.replace("_", "-") for name in modules if name not in _OTHER_MODULES and not name.endswith("_options")}
    return (*_ORDER, *sorted(names - {*_ORDER, *_FRONT_END_VERBS}))


#: The verbs that are methods of `Session`. `verbs/NAME.py` has the entry of each.
SESSION_VERBS = _find_names()
#: All verbs; the last ones are those of the front ends.
VERB_NAMES = (*SESSION_VERBS, *_FRONT_END_VERBS)


def unknown_verb_error(name: str, others: tuple[str, ...] = ()) -> SpecError:
    """Return the error for an unknown verb: its hint has what it may mean, and all verbs in the order of help.

    Parameters
    ----------
    name
        The word.
    others
        Further commands of the front end.
    """
    import difflib  # only an error needs it

    known = (*VERB_NAMES, *others)
    low = name.lower().strip("-_")
    similar = [one for one in renamed.SIMILAR.get(low, "").split(", ") if one in known]
    first = similar or difflib.get_close_matches(low, known, n=1, cutoff=0.6)
    hint = f"did you mean {' or '.join(filter(None, (', '.join(first[:-1]), first[-1])))}? " if first else ""
    return SpecError(f"there is no verb {name!r}", hint=f"{hint}The verbs are: {', '.join(known)}")


@cache
def load_verb(name: str) -> Verb:
    """Return the verb of that name.

    Raises
    ------
    SpecError
        There is none; the hint has the nearest name.
    """
    if name in renamed.VERBS:
        raise SpecError(f"{name} was renamed to {renamed.VERBS[name]}")
    if name not in VERB_NAMES:
        raise unknown_verb_error(name)
    verb: Verb = import_module(f"{__package__}.{name.replace('-', '_')}").VERB
    return verb


def all_verbs() -> tuple[Verb, ...]:
    """Return all verbs, in the order of help."""
    return tuple(map(load_verb, VERB_NAMES))
