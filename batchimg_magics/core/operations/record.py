"""`record`: read back what an executed notebook did, from the records in its outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.records import FORMAT_VERSION
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.operations import record_crate, record_lock
from batchimg_magics.core.operations.notebook_records import read_notebook
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.operations.notebook_records import CellRecord, NotebookRecords

__all__ = ["record_notebook"]

#: The verbs that make a lock of their pool old.
_CHANGES = ("create", "update", "migrate", "delete")


def record_notebook(
    notebook: str,
    *,
    lock: str | None = None,
    rocrate: str | None = None,
    agent: str | None = None,
    license_url: str | None = None,
    force: bool = False,
) -> Table:
    """Return what an executed notebook did, one row per result; write what is asked for.

    Parameters
    ----------
    notebook
        The file of the notebook.
    lock
        Where the lock files are written: a file, or a folder for those of several pools. None: nowhere.
    rocrate
        The folder of the Process Run Crate; None: none is written.
    agent
        Who ran the notebook, for the crate: a name, an ORCID, or another URL. None: nobody is named.
    license_url
        The URL of the licence of the crate; None: none is stated.
    force
        Whether existing files are replaced.

    Raises
    ------
    SpecError
        The file is no executed notebook with records; it has no lock; a file cannot be written.
    """
    for option, given in (("--agent", agent), ("--license", license_url)):
        if given is not None and rocrate is None:
            raise SpecError(f"{option} is for --rocrate", hint=f"add --rocrate DIR, or remove {option}")
    if license_url is not None and not license_url.startswith(("https://", "http://")):
        raise SpecError(
            f"--license is {license_url!r}", hint="give a URL: https://creativecommons.org/licenses/by/4.0/"
        )
    read = read_notebook(notebook)
    if rocrate is not None:
        record_crate.check_crate(rocrate, force=force)
    locks = [] if lock is None and rocrate is None else record_lock.rebuild_locks(read)
    written = [] if lock is None else record_lock.write_locks(read, locks, lock, force=force)
    if rocrate is not None:
        record_crate.write_crate(read, locks, rocrate, agent=agent, license_url=license_url, force=force)
        written.append(rocrate)
    return _table(read, written, [one.pool for one in locks if not one.is_complete])


def _table(read: NotebookRecords, written: list[str], incomplete: list[str]) -> Table:
    rows = [_row(one) for one in read.found]
    failed = sum(one.record.outcome == "failed" for one in read.found)
    caption = f"{make_visible(Path(read.file).name)}: {count_text(len(rows), 'result')}"
    caption += f", {failed} failed" if failed else ""
    caption += f"; written: {', '.join(map(make_visible, written))}" if written else ""
    table = Table.from_rows("record", rows, caption, locks=sorted(read.locks()), written=written)
    warnings = _warnings(read, incomplete)
    return replace(table, attrs={**table.attrs, "warnings": warnings}) if warnings else table


def _row(one: CellRecord) -> dict[str, Any]:
    record = one.record
    error = record.error
    connection = record.connection
    return {
        "cell": one.cell,
        "execution": one.execution,
        "verb": record.verb,
        "line": record.line or None,
        "connection": connection.get("kind"),
        "account": connection.get("account"),
        "outcome": record.outcome or None,
        "error": ": ".join(filter(None, (error.get("code") or error.get("class"), error.get("message")))) or None,
        "started": record.started,
        "seconds": record.seconds,
        "rows": record.rows,
        "resources": "; ".join(f"{role}={resource}" for role, resource in record.resources.items()) or None,
        "caption": record.caption or None,
        "version": record.versions.get("batchimg_magics"),
    }


def _warnings(read: NotebookRecords, incomplete: list[str]) -> list[dict[str, str]]:
    found: list[tuple[str, str]] = []
    if read.newer:
        text = f"{count_text(read.newer, 'record')} of a newer format than {FORMAT_VERSION} not read"
        found.append((text, "update batchimg_magics"))
    if read.damaged:
        found.append((f"{count_text(read.damaged, 'damaged record')} not read", "run the notebook again, and save it"))
    if read.omitted:
        found.append((f"{count_text(read.omitted, 'record')} not read: there are too many", "divide the notebook"))
    for pool in incomplete:
        text = f"the list of packages of pool {pool} is not on this computer: the lock file has its SHA-256 only"
        found.append((text, f"`%batchimg images --packages {magic_word(pool)}` reads it from a node"))
    found += [(text, f"add a cell `%batchimg lock {magic_word(pool)}` after it") for pool, text in _missing_locks(read)]
    return [{"rule": "record", "found": text, "fix": fix} for text, fix in found]


def _missing_locks(read: NotebookRecords) -> Iterator[tuple[str, str]]:
    """Yield the pools of which no lock tells what they are at the end of the notebook, with the reason."""
    last: dict[str, CellRecord] = {}
    for one in read.found:
        if one.record.verb in _CHANGES and one.record.outcome == "done":
            last |= dict.fromkeys(one.record.pools, one)
    locks = read.locks()
    places = {id(one): place for place, one in enumerate(read.found)}
    for pool, one in last.items():
        if one.record.verb == "delete":
            continue
        if pool not in locks:
            yield pool, f"pool {pool} has no lock in the notebook, so that its lock file cannot be rebuilt"
        elif places[id(locks[pool])] < places[id(one)]:
            yield pool, f"the lock of pool {pool} is older than `{one.record.verb}` in cell {one.cell}"
