"""The rules that an image and a pool have to keep, one small function each.

Azure finds out about most of them late: after half an hour, or with nodes that are billed and never usable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchimg_magics.core.sources import Source
    from batchimg_magics.spec import PoolSpec


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Parameters
    ----------
    rule
        Its id.
    ok
        Whether it is kept.
    found
        What there is, in one line.
    fix
        What to do about it, in one line.
    """

    rule: str
    ok: bool
    found: str
    fix: str = ""


def managed_disks(source: Source, _: PoolSpec) -> Finding:
    """Check that all disks are managed: an image is made from disks, not from blobs.

    Source: FACTS 1.3.
    """
    if not source.unmanaged:
        return Finding("managed-disks", ok=True, found=f"{len(source.disks)} managed disks")
    return Finding(
        "managed-disks",
        ok=False,
        found=f"VM {source.name!r} has no managed disk for {', '.join(source.unmanaged)}",
        fix=f"convert it: `az vm convert --ids {source.id}`",
    )


def generalized(source: Source, spec: PoolSpec) -> Finding:
    """Check that the system was deprovisioned, or will be: by Azure's mark, the researcher's word, or a capture.

    Batch takes only generalized images; nodes from any other come up unusable, and are billed. Source: FACTS 1.10.
    """
    if source.generalized:
        return Finding("generalized", ok=True, found="Azure marks it generalized")
    if spec.generalized:
        return Finding("generalized", ok=True, found="you say that it was deprovisioned")
    what = "it is" if spec.capture == "in-place" else "a throwaway copy of it is"
    return Finding("generalized", ok=True, found=f"{what} deprovisioned on the way (--capture {spec.capture})")


RULES: tuple[Callable[[Source, PoolSpec], Finding], ...] = (managed_disks, generalized)


def check(source: Source, spec: PoolSpec) -> list[Finding]:
    """Return what every rule found."""
    return [rule(source, spec) for rule in RULES]


def refuse(findings: Sequence[Finding]) -> None:
    """Raise SpecError with all rules that are not kept, when there are any."""
    if broken := [one for one in findings if not one.ok]:
        raise SpecError("; ".join(one.found for one in broken), hint="; ".join(one.fix for one in broken))
