"""Everything that can be known to go wrong, before it does: the rules over the facts, and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core import reading
from batchimg_magics.core.rules import RULES, access
from batchimg_magics.core.schemas import SEVERITIES
from batchimg_magics.core.tables import Table
from batchimg_magics.errors import BudgetError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure import Azure
    from batchimg_magics.core.facts import Facts
    from batchimg_magics.core.roads import Road
    from batchimg_magics.core.rules import Finding
    from batchimg_magics.spec import PoolSpec


def check(facts: Facts) -> list[Finding]:
    """Return what every rule found: what is broken first, the gravest of it before the rest."""

    def place(found: Finding) -> tuple[bool, int, bool]:
        return found.ok is True, SEVERITIES.index(found.severity), found.ok is None

    return sorted((found for rule in RULES for found in rule.check(facts)), key=place)


async def before_create(azure: Azure, spec: PoolSpec, *, yes: bool) -> tuple[Facts, Road, list[Finding]]:
    """Check what an image is to be made from, and the pool that is to be made from that; nothing is changed.

    Returns
    -------
    tuple
        What was read, the road to the image, and what was found.

    Raises
    ------
    SpecError
        With all errors at once; its table has what was found.
    BudgetError
        The same, where it would only cost too much.
    NotFoundError
        What an image is to be made from is not there.
    """
    facts, road = await reading.of_creation(azure, spec, yes=yes)
    findings = check(facts)
    broken = [one for one in findings if one.is_error]
    if broken or road is None:
        # Where money alone stands in the way, the error says that too: the same line can be right elsewhere.
        kind = BudgetError if {one.rule for one in broken} == {"cost"} else SpecError
        error = kind("; ".join(one.found for one in broken), hint="; ".join(one.fix for one in broken if one.fix))
        error.table = table(facts, findings, f"pool {spec.name}")
        raise error
    return facts, road, findings


def table(facts: Facts, findings: Sequence[Finding], what: str) -> Table:
    """Return the findings, one a row, with the role that is enough among the further facts."""
    rows = [
        {"rule": one.rule, "ok": one.ok, "severity": one.severity, "found": one.found, "fix": one.fix or None}
        for one in findings
    ]
    return Table.of("check", rows, f"{what}: {summary(findings)}", role=access.role(facts))


def summary(findings: Sequence[Finding]) -> str:
    """Return in words how many rules are not kept."""
    counts = {
        "error": sum(one.is_error for one in findings),
        "warning": sum(one.is_warning and one.ok is False for one in findings),
        "rule that could not be checked": sum(one.ok is None for one in findings),
    }
    said = [f"{count} {_many(word, count)}" for word, count in counts.items() if count]
    return ", ".join(said) or f"all {len(findings)} findings are well"


def _many(word: str, count: int) -> str:
    head, _, tail = word.partition(" ")
    return word if count == 1 else f"{head}s {tail}".strip()


def with_warnings(done: Table, findings: Sequence[Finding]) -> Table:
    """Return what `create` did, with what it was warned of: in the caption, and in full among the further facts."""
    if not (shown := [one for one in findings if one.is_warning]):
        return done
    said = [{"rule": one.rule, "found": one.found, "fix": one.fix} for one in shown]
    return replace(done, caption=f"{done.caption}; {summary(shown)}", attrs={**done.attrs, "warnings": said})
