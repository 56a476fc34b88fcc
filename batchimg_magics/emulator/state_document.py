"""The emulator state as one JSON document: write it, put it back, and begin again.

Another process can put it back, too: everything that is going on, such as the resize of a pool, continues from the same
simulated time, because the state has no other memory than its resources and settings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.arm import open_world
from batchimg_magics.emulator.batch.model import job_schedules, pools, task_states
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.store import LAYOUT, Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.clock import Clock
    from batchimg_magics.emulator.world.store import Store

#: The settings that belong to a state file: the key of its tokens, and its time.
_OWN = frozenset({"secret", "anchor", "layout", "latest"})
#: How the state was when it was new.
_ORIGIN = "origin"
#: Sign-ins in progress: their codes are secrets.
_KINDS_LEFT_OUT = frozenset({"login/codes"})
#: Properties that Azure shows nobody.
_SECRETS = frozenset(
    {
        "password", "adminpassword", "customdata", "custom_data", "sshprivatekey", "accountkey", "saskey",
        "protectedsettings", "clientsecret", "connectionstring",
    }
)  # fmt: skip
#: The types of the parameters of a template whose values nobody sees.
_SECRET_TYPES = frozenset({"securestring", "secureobject"})
_SIGNATURE = re.compile(r"([?&]sig=)[^&\s\"']+", re.IGNORECASE)
#: The state of a resource beside its document, by its type.
_STATES: dict[str, type] = {
    pools.KIND: pools.PoolState,
    task_states.KIND: task_states.TaskState,
    job_schedules.KIND: job_schedules.ScheduleState,
}


class DocumentRefusedError(Exception):
    """A document is not an emulator state, or of another version."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A resource."""

    key: str
    kind: str
    doc: dict[str, Any]
    hidden: dict[str, Any]


class _Work(msgspec.Struct):
    """A long-running operation on a resource."""

    kind: str
    begin: float
    end: float
    doc: dict[str, Any] | None = None


class _Hidden(msgspec.Struct):
    """The state of the other resources."""

    work: _Work | None = None


class _Settings(msgspec.Struct):
    """The settings that every state has."""

    start: float
    seed: int
    counter: int
    scenario: str = "calm"
    faults: list[scenarios.Fault] | None = None
    allocation: dict[str, Any] | None = None


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The whole state."""

    layout: int
    time: float
    settings: dict[str, Any]
    items: list[_Entry]


def write_document(store: Store, clock: Clock) -> dict[str, Any]:
    """Return the state as a JSON document, without secrets.

    Parameters
    ----------
    store
        The emulator state.
    clock
        The simulated time.
    """
    entries = [
        _Entry(item.key, item.kind, _without_secrets(item.doc), _without_secrets(item.hidden))
        for item in store.all_items()
        if item.kind not in _KINDS_LEFT_OUT
    ]
    settings = {name: value for name, value in store.all_meta().items() if name not in _OWN}
    document: dict[str, Any] = msgspec.to_builtins(_Document(LAYOUT, clock.now(), settings, entries))
    return document


def put_document(store: Store, clock: Clock, document: object) -> float:
    """Replace the state and its time by those of a document; return the time.

    Raises
    ------
    DocumentRefusedError
        It is not a document of `write_document`, or of another version. Nothing was changed.
    """
    given = _read(document)
    kept = {name: value for name, value in store.all_meta().items() if name in _OWN}
    items = [Item(entry.key, entry.kind, entry.doc, entry.hidden) for entry in given.items]
    store.replace(items, given.settings | kept | {"latest": given.time})
    clock.move_to(given.time)
    return given.time


def begin_again(store: Store, clock: Clock, *, empty: bool) -> float:
    """Return to a new state and its start; return the time.

    Parameters
    ----------
    store
        The emulator state.
    clock
        The simulated time.
    empty
        Leave out the default resources: a closed world, with nothing but the subscription.
    """
    origin = store.meta(_ORIGIN) or {
        "furnished": bool(store.meta("furnished")),
        "open": open_world.is_open(store),
        "every": open_world.has_every_subscription(store),
    }
    kept = {name: value for name, value in store.all_meta().items() if name in {*_OWN, "start", "seed"}}
    start = float(kept["start"])
    store.replace([], kept | {"latest": start, "counter": 0, _ORIGIN: origin})
    if origin["open"] and not empty:
        open_world.set_open(store, value=True)
    if origin["every"]:
        open_world.add_every_subscription(store)
    elif empty:
        furnish.add_subscription(store)
    if origin["furnished"]:
        if empty:
            furnish.leave_empty(store)
        else:
            furnish.furnish(store)
    clock.move_to(start)
    return start


def _read(document: object) -> _Document:
    """Return a document, if it is a state that this version understands."""
    if not isinstance(document, dict) or "layout" not in document:
        raise DocumentRefusedError("the document is not one of GET /_sim/dump")
    if document["layout"] != LAYOUT:
        raise DocumentRefusedError(f"the layout of the document is {document['layout']!r}; this version reads {LAYOUT}")
    try:
        given = msgspec.convert(document, _Document)
        settings = msgspec.convert(given.settings, _Settings)
    except msgspec.ValidationError as error:
        raise DocumentRefusedError(str(error)) from error
    if not 0 <= given.time < NEVER or not 0 <= settings.start <= given.time:
        raise DocumentRefusedError(f"the time {given.time!r} is before the start of the state, or after the year 9999")
    if settings.scenario not in scenarios.SCENARIOS:
        raise DocumentRefusedError(f"the scenario {settings.scenario!r} does not exist")
    if own := _OWN & given.settings.keys():
        raise DocumentRefusedError(f"the setting {min(own)!r} belongs to a state file")
    _check_entries(given.items)
    return given


def _check_entries(entries: list[_Entry]) -> None:
    seen = set()
    for entry in entries:
        if entry.key in seen or not entry.key.startswith("/"):
            raise DocumentRefusedError(f"the key {entry.key!r} is not the id of one resource")
        seen.add(entry.key)
        if not entry.kind or entry.kind in _KINDS_LEFT_OUT:
            raise DocumentRefusedError(f"{entry.key}: {entry.kind!r} is not a resource type")
        try:
            msgspec.convert(entry.hidden, _STATES.get(entry.kind, _Hidden))
        except msgspec.ValidationError as error:
            raise DocumentRefusedError(f"{entry.key}: {error}") from error


def _without_secrets(value: Any, *, secret: bool = False) -> Any:  # noqa: ANN401 - any JSON
    """Leave out the texts of secret properties and parameters, and the signatures of URLs.

    Parameters
    ----------
    value
        A part of a resource.
    secret
        Whether it belongs to a secret property: the ``value`` of a parameter of a template.
    """
    if isinstance(value, dict):
        hidden = {"value"} if secret else set()
        if str(value.get("type")).lower() in _SECRET_TYPES:
            hidden.add("defaultValue")
        return {
            name: _without_secrets(inner, secret=name.lower() in _SECRETS)
            for name, inner in value.items()
            if not (_is_text(inner) and (name.lower() in _SECRETS or name in hidden))
        }
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return _SIGNATURE.sub(r"\1removed", value) if isinstance(value, str) else value


def _is_text(value: object) -> bool:
    """Tell whether a value is a text, and not an expression of a template."""
    return isinstance(value, str) and not value.startswith("[")
