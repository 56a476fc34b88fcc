"""Expiry of a pool: a tag with the time, and an autoscale formula with which Azure removes the nodes at that time.

The formula has the number of nodes: it requests them until the time of expiry, and 0 after it. It is enabled before the
first node is requested, and a resize replaces it by a formula with another number. So nodes do not cost money after
the expiry even if no client is running. Where it is asked for, the formula also requests 0 nodes while no task is left,
after a time in which the first tasks can be added; with new tasks, the nodes come again.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import dig, format_iso_duration, parse_time, wire
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch import machine_settings, pools
from batchimg_magics.errors import ConflictError, ServiceError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.pools import PoolState

#: The first line of an expiry formula, which distinguishes it from other formulas.
FORMULA_PREFIX = "// batchimg: all nodes leave at "
#: Source: Batch service, autoScaleEvaluationInterval: the least is 5 minutes.
INTERVAL_S = 300.0
#: Source: Batch service, EnableAutoScale: "at most once every 30 seconds".
MIN_ENABLE_INTERVAL_S = 30.0
MAX_ENABLE_TRIES = 4
#: How often the tag is sent while other clients change the pool.
MAX_TAG_TRIES = 4
#: Seconds after which a resize that a formula began is expected to end. Source: Batch service, resizeTimeout "applies
#: only to manual scaling"; its default.
RESIZE_TIMEOUT_S = 900.0
#: Seconds from the last change of a formula for which nodes wait for the first task, where they leave without tasks.
FIRST_TASK_S = 3600.0
#: Seconds by which an evaluation may be late before it counts as overdue. Assumed: Azure documents no limit.
MAX_LATE_S = 300.0
#: Source: Batch service, resizeTimeout: "This timeout applies only to manual scaling".
TIMEOUT_TEXT = "--timeout has no effect with an expiry: Azure Batch uses it for pools of fixed size only"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
#: The second line of a formula whose nodes leave without tasks.
_IDLE_PREFIX = "// batchimg: and without tasks, from "
_IDLE = re.compile(rf"^{re.escape(_IDLE_PREFIX)}(\S+)$", re.MULTILINE)
_FORMULA = re.compile(
    rf"\s*{re.escape(FORMULA_PREFIX)}(?P<expires>\S+)\s.*"
    r"\$TargetDedicatedNodes = lives \? (?P<dedicated>\d+) : 0;\s*"
    r"\$TargetLowPriorityNodes = lives \? (?P<spot>\d+) : 0;",
    re.DOTALL,
)


# -- times and formulas --------------------------------------------------------------------------------------------


def format_tag_time(moment: dt.datetime) -> str:
    """Return a time as tags and formulas write it."""
    return moment.astimezone(dt.UTC).strftime(_FORMAT)


def parse_tag_time(text: str | None) -> dt.datetime | None:
    """Return the time in a tag; None where it has none."""
    try:
        return dt.datetime.strptime(text or "", _FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def expires_after(azure: Azure, seconds: float) -> dt.datetime:
    """Return the time a number of seconds from now, in whole seconds."""
    return dt.datetime.fromtimestamp(int(azure.now() + seconds), dt.UTC)


@dataclass(frozen=True, slots=True)
class ExpiryFormula:
    """What an expiry formula says.

    Parameters
    ----------
    expires, counts
        The time of expiry, and the nodes until then.
    idle_from
        The time from which nodes also leave while no task is left; None: they stay without tasks.
    """

    expires: dt.datetime
    counts: Counts
    idle_from: dt.datetime | None = None


def formula(
    expires: dt.datetime, counts: Counts, drain: str | None = None, idle_from: dt.datetime | None = None
) -> str:
    """Return the formula that keeps these counts until the time of expiry, and 0 after it.

    Parameters
    ----------
    expires, counts
        The time of expiry, and the nodes until then.
    drain
        The node deallocation option until then. After it no task keeps a node.
    idle_from
        The time from which nodes also leave while no task is left; None: they stay without tasks.
    """
    time, after = format_tag_time(expires), "requeue"
    idle_lines, condition = [], f'time() < time("{time}")'
    if idle_from is not None:
        first = format_tag_time(idle_from)
        # Source: Microsoft's autoscale document: a formula must not rely on few samples of the tasks.
        idle_lines = [
            f"{_IDLE_PREFIX}{first}",
            "percent = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 10);",
            "tasks = percent < 70 ? 1 : max($PendingTasks.GetSample(TimeInterval_Minute * 10));",
            f'busy = time() < time("{first}") ? 1 : tasks;',
        ]
        condition += " && busy > 0"
    return "\n".join(
        [
            f"{FORMULA_PREFIX}{time}",
            *idle_lines,
            f"lives = {condition};",
            f"$TargetDedicatedNodes = lives ? {counts.dedicated} : 0;",
            f"$TargetLowPriorityNodes = lives ? {counts.spot} : 0;",
            f"$NodeDeallocationOption = {after if drain in (None, after) else f'lives ? {drain} : {after}'};",
        ]
    )


def parse_formula(text: str) -> ExpiryFormula | None:
    """Return what an expiry formula says; None for any other formula."""
    found = _FORMULA.match(text)
    expires = parse_tag_time(found["expires"]) if found else None
    if found is None or expires is None:
        return None
    idle = _IDLE.search(text)
    idle_from = parse_tag_time(idle[1]) if idle else None
    return ExpiryFormula(expires, Counts(int(found["dedicated"]), int(found["spot"])), idle_from)


def is_expiry_formula(text: str) -> bool:
    """Tell whether a formula is an expiry formula."""
    return parse_formula(text) is not None


# -- of a pool on the data plane -----------------------------------------------------------------------------------


def expires_at(pool: PoolState) -> dt.datetime | None:
    """Return when a pool expires, by its formula, else by its tag; None where it does not."""
    return _expires(pool.formula, pool.tags.get(tags.EXPIRES))


def _expires(text: str, tag: str | None) -> dt.datetime | None:
    found = parse_formula(text)
    return found.expires if found else parse_tag_time(tag)


def counts_in_force(pool: PoolState, now: float) -> Counts:
    """Return the nodes that a pool is to have at a time: those of its expiry formula, else its targets.

    Where the nodes leave without tasks, the tasks decide: then these are the targets of the last evaluation.
    """
    found = parse_formula(pool.formula)
    if found is None or (
        found.idle_from is not None and found.idle_from.timestamp() <= now < found.expires.timestamp()
    ):
        return pool.target
    return found.counts if now < found.expires.timestamp() else Counts()


def is_overdue(evaluated: dt.datetime | None, interval_s: float | None, now: float) -> bool:
    """Tell whether the next evaluation of a formula should have been done by now."""
    if evaluated is None or interval_s is None:
        return False
    return now > evaluated.timestamp() + interval_s + MAX_LATE_S


# -- of a document of Azure Resource Manager -----------------------------------------------------------------------


def expires_of(pool: Json) -> dt.datetime | None:
    """Return when the pool of a document expires, by its formula, else by its tag; None where it does not."""
    return _expires(machine_settings.formula(pool) or "", pools.tag_of(pool, tags.EXPIRES))


def leaves_without_tasks(pool: Json) -> bool:
    """Tell whether the nodes of the pool of a document also leave while no task is left."""
    found = parse_formula(machine_settings.formula(pool) or "")
    return found is not None and found.idle_from is not None


def evaluated_of(pool: Json) -> dt.datetime | None:
    """Return when the formula of a pool was last evaluated; None where it has none."""
    time: str | None = dig(pool, "properties", "autoScaleRun", "evaluationTime")
    return parse_time(time)


def created_of(pool: Json) -> float | None:
    """Return when a pool was created, in seconds since 1970; None where Azure does not tell it."""
    found = parse_time(dig(pool, "properties", "creationTime"))
    return None if found is None else found.timestamp()


def is_evaluation_overdue(pool: Json, now: float) -> bool:
    """Tell whether Azure should have evaluated the formula of a pool again by now."""
    return is_overdue(evaluated_of(pool), machine_settings.formula_interval(pool), now)


def is_unenforced(pool: Json, now: float) -> bool:
    """Tell whether a pool has an expiry and nodes, but no formula that Azure evaluates and that removes them.

    A repair that was interrupted leaves a pool without the formula, and so does another formula.
    """
    if expires_of(pool) is None:
        return False
    props = pool["properties"]
    fixed = dig(props, "scaleSettings", "fixedScale") or {}
    nodes = (props.get("currentDedicatedNodes"), props.get("currentLowPriorityNodes"), *fixed.values())
    has_nodes = any(isinstance(count, int) and count for count in nodes)
    enforced = is_expiry_formula(machine_settings.formula(pool) or "") and not is_evaluation_overdue(pool, now)
    return has_nodes and not enforced


def nodes_for_tasks(pool: PoolState, now: float) -> Counts | None:
    """Return the nodes that tasks bring to a pool whose nodes leave without tasks; None for other pools."""
    found = parse_formula(pool.formula)
    if found is None or found.idle_from is None or found.expires.timestamp() <= now:
        return None
    return found.counts


def with_expiry(pool: Json, expires: dt.datetime, idle_from: dt.datetime | None = None) -> Json:
    """Return the document of a new pool with its expiry: the formula, for no nodes yet, and the tag."""
    text = formula(expires, Counts(), idle_from=idle_from)
    scale = {"autoScale": {"formula": text, "evaluationInterval": format_iso_duration(INTERVAL_S)}}
    time = format_tag_time(expires)
    properties = pool["properties"]
    metadata = [*properties.get("metadata", []), {"name": tags.EXPIRES, "value": time}]
    return {
        **pool,
        "properties": {**properties, "scaleSettings": scale, "metadata": metadata},
        "tags": {**pool.get("tags", {}), tags.EXPIRES: time},
    }


# -- changing ------------------------------------------------------------------------------------------------------


async def set_expires_tag(azure: Azure, name: str, expires: dt.datetime | None) -> None:
    """Set the tag with the time of expiry on a pool; None removes it.

    Raises
    ------
    ConflictError
        Other clients keep changing the pool.
    """
    wanted = None if expires is None else format_tag_time(expires)
    for tries_left in reversed(range(MAX_TAG_TRIES)):
        found = await pools.read(azure, name)
        if found is None or pools.tag_of(found, tags.EXPIRES) == wanted == dig(found, "tags", tags.EXPIRES):
            return
        try:
            await _send_expires_tag(azure, found, wanted)
        except ConflictError as error:
            # Another client changed the pool; or an earlier request did, whose answer was lost.
            if not was_faster(error) or not tries_left:
                raise
        else:
            return


async def _send_expires_tag(azure: Azure, found: Json, wanted: str | None) -> None:
    metadata = [one for one in found["properties"].get("metadata") or [] if one.get("name") != tags.EXPIRES]
    resource_tags = {key: value for key, value in (found.get("tags") or {}).items() if key != tags.EXPIRES}
    if wanted is not None:
        metadata.append({"name": tags.EXPIRES, "value": wanted})
        resource_tags[tags.EXPIRES] = wanted
    await pools.patch(azure, found, {"properties": {"metadata": metadata}, "tags": resource_tags})


async def disable_autoscale(azure: Azure, name: str) -> None:
    """Disable autoscale of a pool; the pool keeps its target counts."""
    client = await azure.batch()
    await azure.call(client.disable_pool_auto_scale(name))


async def enable_autoscale(azure: Azure, name: str, text: str, interval_s: float) -> None:
    """Enable autoscale of a pool with a formula, which Azure evaluates at once."""
    client = await azure.batch()
    body: Json = {"autoScaleFormula": text, "autoScaleEvaluationInterval": format_iso_duration(interval_s)}
    for tries_left in reversed(range(MAX_ENABLE_TRIES)):
        try:
            await azure.call(client.enable_pool_auto_scale(name, wire(body)))
        except ServiceError as error:
            if isinstance(error, ConflictError) and was_faster(error):
                state = await pools.read_state(azure, name)
                if state.autoscale and state.formula == text:
                    return  # an earlier request, whose answer was lost, began the evaluation
            if error.code != "TooManyEnableAutoScaleRequests" or not tries_left:
                raise
        else:
            return
        # The verb that ended another verb's resize, and that verb, may both enable it.
        await azure.sleep(MIN_ENABLE_INTERVAL_S)
