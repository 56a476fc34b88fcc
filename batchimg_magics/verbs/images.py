"""The verb ``images``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, *, sources: bool = False) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations import images

    return lambda _: images.list_images(connection.azure, with_sources=sources)


VERB = Verb(
    "images",
    "List images and the pools, scale sets and VMs that use them",
    (Option("--sources", "Include the snapshots and disks that the images were created from"),),
    ("images", "images --sources"),
    start,
    returns="One row per image; with `sources`, also one per snapshot and disk.",
)
