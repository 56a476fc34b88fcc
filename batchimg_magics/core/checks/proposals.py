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
        "architecture", "data-disk-count", "disk-controller", "generation", "security-type", "vm-size",
        "vm-size-restrictions",
    }
)  # fmt: skip
#: Rules that fewer nodes can satisfy.
COUNT_RULES = frozenset(
    {"cost", "managed-image-limit", "quota-dedicated", "quota-family", "quota-spot", "subnet-addresses"}
)
_TEMPORARY = "temp-drive"
_TEMPORARY_RULE = frozenset({_TEMPORARY})
#: Similarity from which an unknown name is a misspelt one, 0 to 1. Assumed: as in Python's `difflib`.
MISSPELT = 0.6
#: At most so many sizes are checked, the most similar ones first.
MOST_CANDIDATES = 60


def with_agreed_fixes(facts: Facts, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, where failed checks of VM size and node counts have one fix that satisfies all of them."""
    broken = {one.rule for one in findings if one.is_error}
    proposal = _proposal(facts, broken) if broken & (SIZE_RULES | COUNT_RULES) else None
    agreed = list(findings)
    if proposal is not None:
        changed, words = _changes(facts, proposal)
        text = f"{words} fit{'s' if len(changed) == 1 else ' together'}"
        agreed = [_with_fix(one, text, changed, proposal.spec.vm_size) for one in agreed]
    return [_with_temporary_disk(proposal or facts, one) if one.rule == _TEMPORARY else one for one in agreed]


def _with_fix(finding: Finding, text: str, changed: frozenset[str], size: str) -> Finding:
    of_count = finding.rule in COUNT_RULES
    if finding.fix == f"did you mean {size}?" and changed == {"vm_size"}:
        return finding  # a misspelt size
    if not finding.is_error or not (of_count or (finding.rule in SIZE_RULES and "vm_size" in changed)):
        return finding
    # Instead of fewer nodes, more quota can be requested; an image that does not boot on a size leaves no choice.
    return replace(finding, fix=f"{text}; or {finding.fix}" if of_count and finding.fix else text)


def _with_temporary_disk(facts: Facts, finding: Finding) -> Finding:
    """Return a warning about a missing temporary disk with a VM size that has one and keeps all other rules."""
    if finding.ok is not False:
        return finding
    if not _breaks(facts, _TEMPORARY_RULE, warnings=True):
        return replace(finding, fix=f"--vm-size {facts.spec.vm_size} has one; or {finding.fix}")
    others = (one for one in _candidates(facts) if not _breaks(one, _TEMPORARY_RULE, warnings=True))
    found = next((one for one in others if not _breaks(one, SIZE_RULES | COUNT_RULES)), None)
    return (
        finding if found is None else replace(finding, fix=f"--vm-size {found.spec.vm_size} has one; or {finding.fix}")
    )


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
    if not broken & SIZE_RULES and (fewer := _with_fitting_counts(facts)) is not None:
        return fewer
    kept = SIZE_RULES if "task-slots" in broken else SIZE_RULES | {"task-slots"}
    fitting = [one for one in _candidates(facts) if not _breaks(one, kept)]
    # The nearest name is what a misspelt one means, however many of its nodes fit.
    found = _best(fitting if facts.size is not None else fitting[:1])
    # Nodes with other numbers of vCPUs are other work: they are proposed only where no such node can start.
    if found is not None or not broken & SIZE_RULES:
        return found
    return _best([one for one in _candidates(facts, same_cores=False) if not _breaks(one, kept)])


def _best(fitting: Sequence[Facts]) -> Facts | None:
    """Return the first of the facts that keep the rules of sizes, with all nodes if possible, and a temporary disk."""
    whole = [one for one in fitting if not _breaks(one, COUNT_RULES)]
    disks = (one for one in whole if not _breaks(one, _TEMPORARY_RULE, warnings=True))
    fewer = (counts for one in fitting if (counts := _with_fitting_counts(one)) is not None)
    return next(disks, None) or (whole[0] if whole else next(fewer, None))


def _candidates(facts: Facts, *, same_cores: bool = True) -> Iterator[Facts]:
    """Yield the facts with other VM sizes, those with the most similar names first.

    Parameters
    ----------
    facts
        The facts with the requested size.
    same_cores
        Whether only sizes with the same number of vCPUs are wanted, if the requested size is known.
    """
    asked = facts.spec.vm_size.lower()
    if not facts.size_named_by_user:
        return
    own = facts.offered_size(asked)
    cores = vm_sizes.vcpus(own) if own is not None and same_cores else 0

    ranked = [
        (vm_sizes.end_of_size(size) is not None, -_similarity(asked, name.lower()), size)
        # Of similar names, the newest series is first.
        for name, size in sorted(((str(size["name"]), size) for size in facts.sizes), key=_first, reverse=True)
        if name.lower() != asked
        and (not cores or vm_sizes.vcpus(size) == cores)
        # What Azure retires is not proposed, except as what a misspelt name means.
        and (own is None or vm_sizes.end_of_size(size) is None)
    ]
    least = 0.0 if own is not None else MISSPELT
    near = [one for one in ranked if -one[1] >= least]
    for _, _, size in sorted(near, key=lambda one: one[:2])[:MOST_CANDIDATES]:
        spec = facts.spec.model_copy(update={"vm_size": str(size["name"])})
        yield replace(facts, spec=spec, rates=None, limit_usd=None)  # the price of another size was not read


def _similarity(asked: str, name: str) -> float:
    """Return how similar two names of sizes are, 0 to 1, without the tier, which people leave out."""
    return difflib.SequenceMatcher(None, asked.removeprefix("standard_"), name.removeprefix("standard_")).ratio()


def _first(pair: tuple[str, Json]) -> str:
    return pair[0]


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


def _breaks(facts: Facts, names: frozenset[str], *, warnings: bool = False) -> bool:
    """Tell whether facts break one of these rules."""
    found = (finding for one in _rules(names) for finding in one.check(facts))
    return any(finding.is_error or (warnings and finding.is_warning) for finding in found)


@cache
def _rules(names: frozenset[str]) -> tuple[Rule, ...]:
    return tuple(one for one in RULES if one.id in names)
