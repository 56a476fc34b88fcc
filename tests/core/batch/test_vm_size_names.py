"""One VM size has one name in all tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.batch.vm_size_names import canonical_size
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    from batchimg_magics import Session


def test_the_spelling_of_azures_lists(session: Session) -> None:
    names = [*session.names("vm_size"), "Standard_NC24ads_A100_v4", "Standard_M8-2ms", "Standard_NC6_Promo", "Basic_A1",
             "Standard_ND96isr_MI300X_v5"]  # fmt: skip
    assert len(names) > 80
    for name in names:
        assert canonical_size(name.upper()) == canonical_size(name.lower()) == name
    assert canonical_size("small") == "small"


def test_tables_can_be_merged_on_the_size(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    size = set(session.nodes("genomics").vm_size)
    assert size == set(session.pools().vm_size) == {CREATE_OPTIONS["vm_size"]}
    options = session.estimate("genomics", tasks=100, minutes=5, deadline="4h")
    assert size <= set(options.vm_size)
    assert len(session.pools().merge(session.vms(), on="vm_size")) == 1
