"""Saved plans: what `plan --out` writes, and `create --plan` carries out.

A plan has the spec, the steps, and every fact that they rest on. It is carried out only while the facts are the same:
what has changed is named, fact by fact, before anything is changed. What the plan itself has changed, in a run that was
interrupted, is no difference.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.tags import digest, tool_tags
from batchimg_magics.core.base.files import write_file
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.base.toml import read_toml, toml_text
from batchimg_magics.core.operations.plan_facts import Fact, read_facts
from batchimg_magics.errors import ConflictError, SpecError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec import stored_spec
from batchimg_magics.pool_spec.line import magic_word
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.core.operations.creation import Creation
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["SavedPlan", "connection_of", "read_plan", "save_plan", "seal"]

#: The version of the format: a plan of another one is refused.
FORMAT = 1
#: Prices, retirements and warnings of an older plan are not what a reader would see today.
VALID_DAYS = 30
#: How many differences an error names; its table has all.
_NAMED = 3
_NEW_PLAN = "look at the plan again: `%batchimg plan {name} ... --out {file} --force`"
#: The keys of a plan, and the types of their values.
_KEYS: dict[str, type] = {
    "format": int, "pool": str, "made_by": str, "made": str, "expires": str, "replace": bool, "sha256": str,
    "connection": dict, "spec": dict, "cost": dict, "facts": dict, "steps": list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """What was so when a plan was made, and is not any more; as the columns of a table have it."""

    fact: str
    planned: str
    now: str

    def __str__(self) -> str:
        return f"{self.fact}: planned {self.planned}, now {self.now}"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was read from a file.

    Parameters
    ----------
    file
        The file.
    name
        The name of the pool.
    expires
        When it expires.
    replace
        Whether an existing pool may be deleted and created again.
    connection
        The connection that it was made on: service, cloud and account.
    values
        The spec, without secrets.
    facts
        The facts, by name.
    steps
        The steps: their names, actions and resources.
    """

    file: str
    name: str
    expires: dt.datetime
    replace: bool
    connection: Mapping[str, Any]
    values: Mapping[str, Any]
    facts: Mapping[str, str]
    steps: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def hint(self) -> str:
        """What to do if it cannot be carried out."""
        return _NEW_PLAN.format(name=magic_word(self.name), file=magic_word(self.file))

    def spec(self, given: Mapping[str, Any], whole: PoolSpec | None) -> PoolSpec:
        """Return the spec of the plan.

        Parameters
        ----------
        given
            Options on the line: they give values that the plan does not have, and may repeat others.
        whole
            The spec that a body or a file gives; None: there is none.

        Raises
        ------
        SpecError
            A value is missing, or another one than that of the plan.
        """
        salt = salt_of(self.connection, self.name)
        spec = whole or stored_spec.read_spec(self.name, self.values, salt, given)
        values = stored_spec.stored_values(spec, salt)
        if whole is not None and "vm_size" not in given:
            values["vm_size"] = self.values.get("vm_size")  # the default depends on the VM
            spec = whole.model_copy(update={"vm_size": values["vm_size"]})
        if differing := stored_spec.differing_fields(self.values, values):
            raise SpecError(
                f"these values are not those of plan {self.file}: {', '.join(differing)}",
                hint=f"leave them out; or {self.hint}",
            )
        return spec

    def refuse_other_connection(self, connection: Mapping[str, Any]) -> None:
        """Raise SpecError if the plan was made on another connection."""
        for key, value in connection.items():
            if str(self.connection.get(key)).lower() != str(value).lower():
                raise SpecError(
                    f"plan {self.file} was made for another connection: "
                    f"{key} is {make_visible(str(self.connection.get(key)))}, not {value}",
                    hint=f"connect to it; or {self.hint}",
                )

    def refuse_if_expired(self, azure: Azure) -> None:
        """Raise SpecError if the plan is too old, by the time of the service."""
        if azure.now() > self.expires.timestamp():
            raise SpecError(f"plan {self.file} expired on {self.expires:%Y-%m-%d}", hint=self.hint)

    def refuse_if_moved(self, facts: Facts, found: Creation | None, findings: Sequence[Finding]) -> None:
        """Raise ConflictError if a fact is not what it was, unless the plan itself has changed it."""
        now = read_facts(facts, found, findings)
        self._refuse([*_fact_differences(self.facts, now)])

    def refuse_other_steps(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raise ConflictError if other steps are to do than those of the plan that are not done."""
        self._refuse([*_step_differences(self.steps, rows)])

    def _refuse(self, differences: list[Difference]) -> None:
        if not differences:
            return
        shown = [str(one) for one in differences[:_NAMED]]
        more = len(differences) - len(shown)
        shown += [f"and {more} more"] if more else []
        error = ConflictError(
            f"plan {self.file} does not fit any more, and nothing was done: {'; '.join(shown)}",
            hint=self.hint,
            status_code=409,
        )
        rows = [{"fact": one.fact, "planned": one.planned, "now": one.now} for one in differences]
        error.table = Table.from_rows(
            "plan differences", rows, f"plan of pool {self.name}: {count_text(len(differences), 'fact')} changed"
        )
        raise error


def _fact_differences(planned: Mapping[str, str], now: Mapping[str, Fact]) -> Iterator[Difference]:
    for name in {**planned, **now}:
        before, fact = planned.get(name), now.get(name)
        if fact is None and _may_disappear(name, now):
            continue
        text = "none" if fact is None else fact.text
        same = before is not None and fact is not None and Fact(name, before).compared == fact.compared
        if not same and not (fact is not None and fact.is_own):
            yield Difference(name, "none" if before is None else before, text)


def _may_disappear(name: str, now: Mapping[str, Fact]) -> bool:
    """Tell whether a fact is not read any more once the image or the pool exists, which the plan makes."""
    version, pool = now.get("image version"), now.get("pool")
    made = version is not None and version.is_own
    begun = made or (pool is not None and pool.is_own) or any(one.is_own for one in now.values())
    of_image = (
        name in ("power state of the VM", "VM is generalized", "last operation on the VM") or "temporary VM" in name
    )
    return (of_image and begun) or (name.startswith("rule ") and begun) or name in ("first node", "nodes of the pool")


def _step_differences(planned: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Yield the steps that are to do and are not in the plan, or do something else."""
    before = {str(one["step"]): one for one in planned}
    for row in now:
        if row["action"] == "exists":
            continue
        old = before.get(str(row["step"]))
        if old is None:
            yield Difference(f"step {row['step']}", "none", str(row["action"]))
        elif old["action"] != row["action"] and {old["action"], row["action"]} != _ADDS_TO_POOL:
            yield Difference(f"step {row['step']}", str(old["action"]), str(row["action"]))


# -- the file ----------------------------------------------------------------------------------------------------


def connection_of(azure: Azure, *, billed: bool) -> dict[str, str]:
    """Return what identifies a connection: nothing of the person who signed in."""
    return {
        "service": "Azure" if billed else "emulator",
        "cloud": azure.cloud.name,
        "account": str(azure.scope.account_id),
    }


def salt_of(connection: Mapping[str, Any], name: str) -> str:
    """Return the salt of the hashes in a plan."""
    return digest([str(connection.get("account")).lower(), name.lower()])


def save_plan(
    file: str, connection: Mapping[str, str], table: Table, found: Creation, *, replace: bool, force: bool
) -> None:
    """Write a plan.

    Parameters
    ----------
    file, connection
        The file, and the connection.
    table, found
        The table of the plan, and what was read.
    replace, force
        Whether the plan deletes an existing pool that differs, and whether an existing file is replaced.

    Raises
    ------
    SpecError
        The file exists or cannot be written.
    """
    azure, name = found.build.azure, found.spec.name
    made = dt.datetime.fromtimestamp(int(azure.now()), dt.UTC)
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.rows()]
    facts = read_facts(found.facts, found, found.findings)
    document: dict[str, Any] = {
        "format": FORMAT,
        "pool": name,
        "made_by": next(iter(tool_tags().values())),
        "made": f"{made:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{made + dt.timedelta(days=VALID_DAYS):%Y-%m-%dT%H:%M:%SZ}",
        "replace": replace,
        "connection": dict(connection),
        "spec": stored_spec.stored_values(found.spec, salt_of(connection, name)),
        "cost": {"summary": table.caption},
        "facts": {one.name: one.text for one in facts.values()},
        "steps": [{key: row[key] for key in _STEP_KEYS if key in row} for row in rows],
    }
    plain = {key: value for key, value in document.items() if not isinstance(value, (dict, list))}
    whole = {**plain, "sha256": seal(document), **document}
    comment = (
        f"Plan of pool {name}. Review it; then `batchimg create {name} --plan FILE` does exactly this, or says what "
        "has changed.\nThere are no secrets in it. It is not meant to be edited: make a new plan instead."
    )
    write_file(file, toml_text(whole, comment), force=force)


#: A pool that exists gets its nodes, instead of being created with them.
_ADDS_TO_POOL = {"would create", "would change"}
_STEP_KEYS = ("step", "action", "resource", "why", "minutes", "usd_per_hour", "usd_per_month", "id")


def seal(document: Mapping[str, Any]) -> str:
    """Return the hash of a plan: one that was edited may be of no world at all."""
    text = json.dumps({key: value for key, value in document.items() if key != "sha256"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_plan(file: str) -> SavedPlan:
    """Read a plan.

    Raises
    ------
    SpecError
        The file is no plan, or was made by another version of the format, or was edited.
    """
    document = read_toml(file)
    if document.get("format") != FORMAT and "format" in document and "facts" in document:
        raise SpecError(
            f"plan {file} has format {str(document['format'])[:20]!r}, and this version reads format {FORMAT}",
            hint="make a new plan, or use the version that made it",
        )
    if wrong := document.keys() ^ _KEYS.keys() or _mistyped(document):
        raise SpecError(
            f"{file} is not a plan: {make_visible(min(wrong)[:60])!r} is not as expected",
            hint="`%batchimg plan NAME ... --out FILE` writes one",
        )
    if seal(document) != document["sha256"]:
        raise SpecError(f"plan {file} was changed after it was made", hint="make a new plan with the options you want")
    kept = {key: document[key] for key in ("replace", "connection", "facts", "steps")}
    return SavedPlan(file, document["pool"], _time(document["expires"]), values=document["spec"], **kept)


def _time(text: str) -> dt.datetime:
    """Return a time in UTC; the oldest one for a text that is none: such a plan has expired."""
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _mistyped(document: Mapping[str, Any]) -> set[str]:
    """Return the keys whose values have another type than those of a plan."""
    wrong = {key for key, kind in _KEYS.items() if not isinstance(document[key], kind)}
    if not wrong and not all(isinstance(one, str) for one in document["facts"].values()):
        wrong = {"facts"}
    if not wrong and not all(isinstance(one, dict) and {"step", "action"} <= one.keys() for one in document["steps"]):
        wrong = {"steps"}
    return wrong
