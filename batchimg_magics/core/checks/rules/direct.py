"""Rules about pools that are made straight from a managed image, which Azure has retired."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import legacy_pools
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, warned

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

#: Source: Microsoft's retirement notice for pools of custom images without the gallery.
_RETIREMENT = dt.datetime(2026, 3, 31, tzinfo=dt.UTC).timestamp()
_GALLERY_HINT = "through the gallery it works: "


@rule("direct-retired", "error", sources.RETIREMENT)
def direct_retired(facts: Facts) -> RuleResults:
    """No image is made for a pool straight from a managed image, which Azure takes no more since 31 March 2026."""
    spec, managed_image = facts.spec, facts.managed_image
    replaced = facts.pool_decision is None or facts.pool_decision.action == "replaced"
    nothing = facts.kind == "image" and managed_image is None
    if not spec.direct or not replaced or nothing or facts.kind == "pool":
        return None  # a pool that is there goes on as it is
    if facts.now < _RETIREMENT:
        return passed("taken until 31 March 2026", "`%batchimg migrate` takes such a pool to the gallery")
    if managed_image is None:
        fix = fixes.create_command(facts, direct=None)
    else:
        named = spec if facts.size_named_by_user else spec.model_copy(update={"vm_size": "SIZE"})
        fix = legacy_pools.gallery_command(named, str(managed_image["id"]))
    text = f"pools straight from a managed image were {legacy_pools.RETIREMENT_TEXT}"
    if facts.kind == "image" and facts.pool_decision is None:
        # Nothing is made for it first: where a service still takes it, this is how one finds out.
        return warned(
            f"{text}: the service is asked all the same, and refuses where it takes none", _GALLERY_HINT + fix
        )
    lost = "the image would be made" if facts.pool_decision is None else "the pool that is there would be deleted"
    return failed(f"{text}, and {lost} for nothing", _GALLERY_HINT + fix)
