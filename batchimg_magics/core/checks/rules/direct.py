"""Rules for pools that use a managed image directly, which Azure has retired."""

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
_GALLERY_HINT = "use a gallery image: "


@rule("direct-retired", "error", sources.RETIREMENT, acceptable=True)
def direct_retired(facts: Facts) -> RuleResults:
    """The pool does not use a managed image directly: Azure retired such pools on 31 March 2026."""
    spec, managed_image = facts.spec, facts.managed_image
    replaced = facts.pool_decision is None or facts.pool_decision.action == "replaced"
    other_image = facts.kind == "image" and managed_image is None
    if not spec.direct or not replaced or other_image or facts.kind == "pool":
        return None  # an existing pool keeps its image
    if facts.now < _RETIREMENT:
        return passed(
            "supported until 31 March 2026",
            "`%batchimg migrate` replaces such a pool with one that uses a gallery image",
        )
    if managed_image is None:
        fix = fixes.create_command(facts, direct=None)
    else:
        named = spec if facts.size_named_by_user else spec.model_copy(update={"vm_size": "SIZE"})
        fix = legacy_pools.gallery_command(named, str(managed_image["id"]))
    text = f"pools that use a managed image directly were {legacy_pools.RETIREMENT_TEXT}"
    if facts.kind == "image" and facts.pool_decision is None:
        # No image has to be created first, so the request costs nothing and shows whether the service accepts it.
        return warned(f"{text}: the request is sent, and the service may refuse it", _GALLERY_HINT + fix)
    effect = "an image would be created" if facts.pool_decision is None else "the existing pool would be deleted"
    return failed(f"{text}: {effect} before the service refuses the request", _GALLERY_HINT + fix)
