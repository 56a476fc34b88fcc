"""The verbs around VMs and images."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import Verb

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb("vms", "list the VMs that an image could be made from", (), ("vms",)),
    Verb("images", "list the gallery images, and which pools use them", (), ("images",)),
)
