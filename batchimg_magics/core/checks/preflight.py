"""Preflight checks: run the rules on the facts, and report what they found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.base.schemas import SEVERITIES
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.checks import proposals
from batchimg_magics.core.checks.rules import access
from batchimg_magics.core.checks.rules.registry import RULES
from batchimg_magics.core.compute import galleries
from batchimg_magics.errors import BudgetError, SpecError
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.errors import BatchImgError


def run_rules(facts: Facts) -> list[Finding]:
    """Return the findings of all rules: failed ones first, by severity; their fixes do not contradict each other."""

    def sort_key(found: Finding) -> tuple[bool, int, bool]:
        return found.ok is True, SEVERITIES.index(found.severity), found.ok is None

    findings = [found for rule in RULES for found in rule.check(facts)]
    return sorted(proposals.with_agreed_fixes(facts, findings), key=sort_key)


def refusal(facts: Facts, findings: Sequence[Finding]) -> BatchImgError:
    """Return the error that `create` raises: it names all errors at once, and its table has what failed."""
    broken = [one for one in findings if one.is_error]
    rules = {one.rule for one in broken}
    # A single error keeps its own type: the same command can be right with another name or connection.
    single = _single_error(facts, broken[0].rule) if len(broken) == 1 else None
    kind = BudgetError if rules == {"cost"} else SpecError
    hint = "; ".join(dict.fromkeys(one.fix for one in broken if one.fix))
    error = single or kind("; ".join(one.found for one in broken), hint=hint)
    error.table = findings_table(facts, findings, f"pool {facts.spec.name}", every=False)
    return error


def _single_error(facts: Facts, rule: str) -> BatchImgError | None:
    match rule:
        case "image-origin":
            return facts.problem
        case "pool-name":
            return facts.conflict
        case "gallery":
            return galleries.gallery_not_found_error(ResourceId.parse(str(facts.spec.gallery)))
        case _:
            return None


def findings_table(facts: Facts, findings: Sequence[Finding], what: str, *, every: bool = True) -> Table:
    """Return one row per finding; ``attrs`` has the minimal role.

    Parameters
    ----------
    facts, findings, what
        What was checked, what was found, and its name for the caption.
    every
        Whether to have passed and impossible checks, too; their number is always in the caption.
    """
    rows = [
        {"rule": one.rule, "ok": one.ok, "severity": one.severity, "found": one.found, "fix": one.fix or None}
        for one in findings
        if every or one.ok is False
    ]
    made = Table.from_rows("check", rows, f"{what}: {summary(findings)}", role=access.role_definition(facts))
    if len(rows) < len(findings):
        made.attrs |= {"all_rows": len(findings), "more": "`check --all` shows all checks"}
    return made


def summary(findings: Sequence[Finding]) -> str:
    """Return, as text, how many checks passed, failed or were not possible."""
    counts = {
        ("error", ""): sum(one.is_error for one in findings),
        ("check passed", "checks passed"): sum(one.ok is True for one in findings),
        ("warning", ""): sum(one.is_warning and one.ok is False for one in findings),
        ("check not possible", "checks not possible"): sum(one.ok is None for one in findings),
    }
    return ", ".join(count_text(count, *words) for words, count in counts.items() if count)


def with_warnings(done: Table, findings: Sequence[Finding]) -> Table:
    """Return the table of `create` with its warnings: their number in the caption, all of them in ``attrs``."""
    if not (shown := [one for one in findings if one.is_warning]):
        return done
    messages = [{"rule": one.rule, "found": one.found, "fix": one.fix} for one in shown]
    return replace(done, caption=f"{done.caption}; {summary(shown)}", attrs={**done.attrs, "warnings": messages})
