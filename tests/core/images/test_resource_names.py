"""Names of the resources of a pool's image, for pools whose own name Compute refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session


def test_a_pool_name_that_compute_refuses_gets_legal_resources(session: Session) -> None:
    asked = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 1}
    made = session.create("_a-", **asked)
    (image,) = made[made.step == "image definition"].resource
    assert image == tags.legal_name("_a-")
    assert image.startswith("a-")
    assert image[-1].isalnum()
    assert set(session.create("_a-", **asked).action) == {"exists"}
    assert "_a-" in str(session.images().to_dict("records"))
    assert len({tags.legal_name(name) for name in ("a", "_a", "a_", "-a", "__a", "_", "-")}) == 7
    assert tags.legal_name("a-b_c") == "a-b_c"
