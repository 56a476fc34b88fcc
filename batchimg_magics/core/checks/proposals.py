"""One proposal for all failed checks of the VM size and the node counts.

Each rule knows its own limit only: a size that one rule proposes can break another rule, and two rules can propose
different sizes. Here, candidates are checked against all of these rules, and every one of them gets the same fix.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import vm_sizes
from batchimg_magics.core.checks.rules.registry import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding, Rule

#: Rules that another VM size can satisfy.
SIZE_RULES = frozenset(
    {
        "architecture", "data-disk-count", "disk-controller", "generation", "security-type", "task-slots", "vm-size",
        "vm-size-restrictions",
    }
)  # fmt: skip
#: Rules that fewer nodes can satisfy.
COUNT_RULES = frozenset(
    {"cost", "managed-image-limit", "quota-dedicated", "quota-family", "quota-spot", "subnet-addresses"}
)
#: At most so many sizes are checked, the most similar ones first.
MOST_CANDIDATES = 60


def with_agreed_fixes(facts: Facts, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, where failed checks of VM size and node counts have one fix that satisfies all of them."""
    broken = {one.rule for one in findings if one.is_error}
    if not broken & (SIZE_RULES | COUNT_RULES):
        return list(findings)
    proposal = _proposal(facts, broken)
    if proposal is None:
        return list(findings)
    changed, words = _changes(facts, proposal)
    text = f"{words} fit{'s' if len(changed) == 1 else ' together'}"
    return [_with_fix(one, text, changed) for one in findings]


def _with_fix(finding: Finding, text: str, changed: frozenset[str]) -> Finding:
    of_count = finding.rule in COUNT_RULES
    if not finding.is_error or not (of_count or (finding.rule in SIZE_RULES and "vm_size" in changed)):
        return finding
    # Instead of fewer nodes, more quota can be requested; an image that does not boot on a size leaves no choice.
    return replace(finding, fix=f"{text}; or {finding.fix}" if of_count and finding.fix else text)


def _changes(facts: Facts, proposal: Facts) -> tuple[frozenset[str], str]:
    """Return the changed fields, and the changes as options."""
    pairs = [
        (name, option, getattr(proposal.spec, name))
        for name, option in (("vm_size", "--vm-size"), ("nodes", "--nodes"), ("spot", "--spot"))
        if getattr(proposal.spec, name) != getattr(facts.spec, name)
    ]
    return frozenset(name for name, _, _ in pairs), " ".join(f"{option} {value}" for _, option, value in pairs)


def _proposal(facts: Facts, broken: set[str]) -> Facts | None:
    """Return the nearest facts that keep all rules of size and counts; None if there are none."""
    if not broken & SIZE_RULES:
        return _with_fitting_counts(facts)
    smaller: Facts | None = None
    for candidate in _candidates(facts):
        if _breaks(candidate, SIZE_RULES):
            continue
        if not _breaks(candidate, COUNT_RULES):
            return candidate
        smaller = smaller or _with_fitting_counts(candidate)
    return smaller


def _candidates(facts: Facts) -> Iterator[Facts]:
    """Yield the facts with other VM sizes: sizes with the same number of vCPUs first, then by similarity of names."""
    asked = facts.spec.vm_size.lower()
    if not facts.size_named_by_user:
        return
    own = facts.offered_size(asked)
    cores = vm_sizes.vcpus(own) if own is not None else 0

    def sort_key(size: Json) -> tuple[bool, bool, float, str]:
        name = str(size["name"])
        similarity = difflib.SequenceMatcher(None, asked, name.lower()).ratio()
        ends = bool(size.get("batchSupportEndOfLife"))
        return bool(cores) and vm_sizes.vcpus(size) != cores, ends, -similarity, name

    others = [size for size in facts.sizes if str(size["name"]).lower() != asked]
    for size in sorted(others, key=sort_key)[:MOST_CANDIDATES]:
        spec = facts.spec.model_copy(update={"vm_size": str(size["name"])})
        yield replace(facts, spec=spec, rates=None, limit_usd=None)  # the price of another size was not read


def _with_fitting_counts(facts: Facts) -> Facts | None:
    """Return the facts with the most nodes that keep the rules; None if not even one node fits."""

    def counts(nodes: int, spot: int) -> Facts:
        return replace(facts, spec=facts.spec.model_copy(update={"nodes": nodes, "spot": spot}))

    def fits(nodes: int, spot: int) -> bool:
        return not _breaks(counts(nodes, spot), COUNT_RULES)

    if not fits(0, 0):
        return None
    nodes = _most(facts.spec.nodes, lambda count: fits(count, 0))
    spot = _most(facts.spec.spot, lambda count: fits(nodes, count))
    return counts(nodes, spot) if nodes + spot else None


def _most(wanted: int, fits: Callable[[int], bool]) -> int:
    """Return the largest count up to the wanted one that fits; 0 always does."""
    if fits(wanted):
        return wanted
    low, high = 0, wanted
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _breaks(facts: Facts, names: frozenset[str]) -> bool:
    """Tell whether facts break one of these rules."""
    return any(found.is_error for one in _rules(names) for found in one.check(facts))


@cache
def _rules(names: frozenset[str]) -> tuple[Rule, ...]:
    return tuple(one for one in RULES if one.id in names)
