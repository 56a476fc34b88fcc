"""The record of a result: what was asked for, of what, when, and what came of it, as JSON beside the table.

A notebook stores it in the outputs of a cell, by a mime type of its own, so that programs can read it back. It contains
no secrets, and its size is bounded.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.records import FORMAT_VERSION
from batchimg_magics.errors import BatchImgError, DetachedError, SpecError
from batchimg_magics.masking import MASK, make_visible, mask_tokens
from batchimg_magics.verbs.registry import load_verb

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.work import VerbRun

__all__ = ["failed_record", "finished_record"]

#: The most characters of one text, of all arguments, and of the document of `lock`, which is kept whole or not at all.
MAX_TEXT, MAX_ARGUMENTS, MAX_LOCK = 2_000, 20_000, 1_000_000
MAX_ITEMS, MAX_DEPTH = 200, 10


#: Fields whose value is a secret, or holds some: without underscores and hyphens, in lower case.
_SECRET_FIELDS = frozenset({
    "accountkey", "connectionstring", "credential", "env", "environment", "environmentsettings", "key", "password",
    "protectedsettings", "sas", "saskey", "secret", "sshprivatekey", "token",
})  # fmt: skip
#: The distributions whose versions decide what is sent and what comes back.
_DISTRIBUTIONS = ("azure-batch", "azure-mgmt-batch", "azure-mgmt-compute", "azure-identity", "azure-core", "pandas")


def finished_record(
    verb: str, options: Mapping[str, Any], connection: Connection | None, run: VerbRun | None, table: Table
) -> dict[str, Any]:
    """Return the record of a verb that has a table.

    Parameters
    ----------
    verb, options
        The verb and its options, with the values of variables in their place.
    connection
        The connection that it ran on; None: it needs none.
    run
        Its run, which knows its times; None: it had none.
    table
        Its table.
    """
    attrs = table.attrs
    record = _head(verb, options, connection, run) | {"outcome": _outcome(options, attrs), **_contents(table)}
    if connection is not None:
        record["resources"] = {**_named_pool(verb, options, connection), **record["resources"]}
    return record | _lock(attrs["lock"]) if "lock" in attrs else record


def failed_record(
    verb: str, options: Mapping[str, Any], connection: Connection | None, run: VerbRun | None, error: BaseException
) -> dict[str, Any]:
    """Return the record of a verb that raised an error; its parameters are those of `finished_record`."""
    outcome = "detached" if isinstance(error, DetachedError) else "failed"
    record = _head(verb, options, connection, run) | {"outcome": outcome, "error": _error(error)}
    return record | _contents(getattr(error, "table", None))


def _head(verb: str, options: Mapping[str, Any], connection: Connection | None, run: VerbRun | None) -> dict[str, Any]:
    arguments = _arguments(options)
    return {
        "version": FORMAT_VERSION,
        "verb": verb,
        "arguments": arguments,
        "line": _line(verb, arguments),
        "connection": None if connection is None else _connection(connection),
        "versions": _versions(),
        "api_versions": {} if connection is None else _api_versions(),
        **_times(run),
    }


# -- what was asked for ------------------------------------------------------------------------------------------


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON, without secrets; the body of a cell as the mapping that it is."""
    budget = _Budget()
    found = {key: budget.plain(value, key) for key, value in options.items() if key != "spec" and value is not None}
    if isinstance(body := options.get("spec"), str):
        found["spec"] = budget.plain(_body(body))
    elif body is not None:
        found["spec"] = budget.plain(body)
    return found


def _body(text: str) -> object:
    from batchimg_magics.pool_spec.body import parse_body

    try:
        return parse_body(text)
    except SpecError:
        return "not YAML"  # the text itself may contain a secret


def _line(verb: str, arguments: Mapping[str, Any]) -> str:
    """Return the line that does it again; what has no option comes first, as the name of a pool does."""
    from batchimg_magics.pool_spec.line import format_line, pool_names

    places = [one.keyword for one in load_verb(verb).options if one.is_positional and one.keyword != "name"]
    names = [*pool_names(arguments), *(str(arguments[one]) for one in places if one in arguments)]
    named = {key: value for key, value in arguments.items() if key not in ("spec", "name", *places)}
    return _text(format_line(verb, {"name": names, **named}, cell="spec" in arguments))


class _Budget:
    """Makes plain JSON of values, as long as all of them together are not too large."""

    def __init__(self) -> None:
        self._left = MAX_ARGUMENTS

    def plain(self, value: object, field: str = "", depth: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Return a value as JSON without secrets; `field` is the name of its field."""
        if field.replace("_", "").replace("-", "").lower() in _SECRET_FIELDS:
            return _masked(value)
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            pairs = list(value.items())[:MAX_ITEMS]
            return {self._spend(str(name)): self.plain(one, str(name), depth + 1) for name, one in pairs}
        if depth < MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
            return [self.plain(one, "", depth + 1) for one in list(value)[:MAX_ITEMS]]
        return self._spend(str(value))

    def _spend(self, text: str) -> str:
        shown = _text(text, min(MAX_TEXT, self._left))
        self._left -= len(shown)
        return shown


def _masked(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a secret as it may be stored: the names of an environment stay, and the names of variables of ``env:``."""
    if isinstance(value, Mapping):
        if set(value) == {"name", "value"}:
            return {"name": _text(str(value["name"])), "value": MASK}
        return {_text(str(name)): _masked(one) for name, one in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, (list, tuple)):
        return [_masked(one) for one in list(value)[:MAX_ITEMS]]
    text = str(value)
    is_reference = text.startswith("env:") and text[len("env:") :].isidentifier()
    return text[:MAX_TEXT] if is_reference else MASK


def _text(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text without secrets and control characters, and not longer than the limit."""
    # Cut before it is searched, and after: a mask may be longer than what it hides.
    shown = make_visible(mask_tokens(text[: 2 * MAX_TEXT]))
    return shown if len(shown) <= limit else f"{shown[: max(0, limit - 1)]}…"


# -- where, when and with what -----------------------------------------------------------------------------------


def _connection(connection: Connection) -> dict[str, Any]:
    """Return what a connection leads to; neither who signed in nor with what."""
    azure, emulator = connection.azure, connection.emulator
    found: dict[str, Any] = {
        "kind": "azure" if connection.is_billed else "local",
        "cloud": None if emulator is not None else azure.cloud.name,
        "subscription": azure.scope.subscription,
        "resource_group": azure.scope.resource_group,
        "account": azure.scope.account,
        "region": azure.known_region or None,
    }
    if not connection.is_billed:
        speed = connection.speed
        found |= {"scenario": connection.scenario, "speed": "max" if speed is None else speed}
    if emulator is not None:
        found["seed"] = emulator.seed
    return {name: value for name, value in found.items() if value is not None}


def _times(run: VerbRun | None) -> dict[str, Any]:
    """Return when a verb began and ended, in the time of the service."""
    if run is None or (began := run.board.began) is None:
        return {"started": None, "ended": None, "seconds": None}
    board = run.board
    ended = board.now() if board.ended is None else board.ended
    return {"started": _moment(began), "ended": _moment(ended), "seconds": round(board.elapsed_s(), 1)}


def _moment(time_s: float) -> str:
    moment = dt.datetime.fromtimestamp(round(time_s, 3), dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"batchimg_magics": "", "python": platform.python_version()}
    for name in ("batchimg_magics", *_DISTRIBUTIONS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def _api_versions() -> dict[str, str]:
    from batchimg_magics.core.azure.api_versions import sent_api_versions

    return sent_api_versions()


# -- what came of it ---------------------------------------------------------------------------------------------


def _contents(table: Table | None) -> dict[str, Any]:
    if table is None:
        return {"rows": 0, "caption": "", "resources": {}}
    rows = len(next(iter(table.columns.values()), ()))
    return {"rows": rows, "caption": _text(table.caption), "resources": _resources(table.attrs)}


def _named_pool(verb: str, options: Mapping[str, Any], connection: Connection) -> dict[str, str]:
    """Return the id of the pool that the line names; empty: it names none, several, or a pattern."""
    name = options.get("name")
    is_pool = any(one.keyword == "name" and one.completion == "pool" for one in load_verb(verb).options)
    if not is_pool or not isinstance(name, str) or not name or any(sign in name for sign in "*?[/"):
        return {}
    return {"pool": _text(str(connection.azure.scope.pool_id(name)))}


def _outcome(options: Mapping[str, Any], attrs: Mapping[str, Any]) -> str:
    if attrs.get("withheld"):
        return "withheld"
    if options.get("wait") is False:
        return "detached"
    return "dry run" if options.get("dry_run") else "done"


def _resources(attrs: Mapping[str, Any]) -> dict[str, Any]:
    found = attrs.get("resources")
    if not isinstance(found, Mapping):
        return {}
    return {_text(str(role)): _resource(one) for role, one in list(found.items())[:MAX_ITEMS]}


def _resource(found: object) -> Any:  # noqa: ANN401 - an id, or several of one role
    return [_text(str(one)) for one in found[:MAX_ITEMS]] if isinstance(found, (list, tuple)) else _text(str(found))


def _error(error: BaseException) -> dict[str, Any]:
    found: dict[str, Any] = {"class": type(error).__name__}
    if isinstance(error, BatchImgError):
        found |= {"message": _text(error.message), "hint": _text(error.hint)}
    for name in ("status_code", "code", "request_id", "resource_id"):
        if value := getattr(error, name, None):
            found[name] = value if isinstance(value, int) else _text(str(value))
    if codes := [_text(str(one[0])) for one in getattr(error, "errors", ())[:MAX_ITEMS]]:
        found["codes"] = codes
    return found


def _lock(document: dict[str, Any]) -> dict[str, Any]:
    from batchimg_magics.core.lock.lock_file import lock_text

    text = lock_text(document)
    if len(text) > MAX_LOCK:
        return {"lock_omitted": f"{len(text)} characters, more than {MAX_LOCK}"}
    # Jupyter sorts the keys of what it saves: the text keeps the order of the file.
    return {"lock": document, "lock_text": text}
