"""The verb ``images``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection, image: str | None = None, *, sources: bool = False, packages: bool = False, **more: Any
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    if packages:
        if sources:
            raise SpecError("--sources and --packages exclude each other", hint="remove one of them")
        return _start_packages(connection, image, **more)
    if image is not None or any(more.values()):
        raise SpecError("an image, --where, --verify-nodes and --cyclonedx need --packages", hint="add --packages")
    from batchimg_magics.core.operations import images

    return lambda _: images.list_images(connection.azure, with_sources=sources)


def _start_packages(
    connection: Connection,
    image: str | None,
    *,
    where: str | None = None,
    verify_nodes: bool = False,
    cyclonedx: str | None = None,
    force: bool = False,
) -> VerbCall:
    from batchimg_magics.core.base import files
    from batchimg_magics.core.operations import packages

    packages.check_where(where)
    azure = connection.azure
    if verify_nodes:
        if where is not None or cyclonedx is not None:
            raise SpecError("--verify-nodes shows nodes: --where and --cyclonedx are for packages", hint="remove them")
        return lambda _: packages.verify_nodes(azure, image)
    if cyclonedx is not None:
        packages.check_export()
        files.check_new_file(cyclonedx, force=force)

    async def run(_: Board) -> Table:
        table, found = await packages.show_packages(azure, image, where=where)
        if cyclonedx is None:
            return table
        files.write_file(cyclonedx, await packages.export_cyclonedx(azure, table.attrs["image"], found), force=force)
        return replace(table, caption=f"{table.caption}; written to {cyclonedx}")

    return run


_PACKAGES_TEXT = """\
With `--packages`: ``attrs`` has `sha256`, `count` and `image`. A row of the manager `unreadable` names what could not
be read, and its source why."""
_NODES_TEXT = """\
With `--packages --verify-nodes`:"""

VERB = Verb(
    "images",
    "List images and the pools, scale sets and VMs that use them; with --packages, what an image contains",
    (
        Option(
            "image",
            "A pool, an image, NAME/1.0.2 or an ID: what it contains (default: the only image that pools use)",
            metavar="IMAGE",
            completion="image",
            optional=True,
        ),
        Option("--sources", "Include the snapshots and disks that the images were created from"),
        Option("--packages", "List the packages in an image: from the local store, otherwise from a node"),
        Option(
            "--where",
            "With --packages: show only packages that match a condition, for example \"name == 'numpy'\"",
            metavar="CONDITION",
        ),
        Option("--verify-nodes", "With --packages: check that each node has the list of packages of its image"),
        Option(
            "--cyclonedx",
            "With --packages: write the list to this file as a CycloneDX 1.6 SBOM (JSON)",
            metavar="FILE",
            completion="file",
        ),
        Option("--force", "Replace the file of --cyclonedx if it exists"),
    ),
    (
        "images",
        "images --sources",
        "images genomics --packages",
        "images genomics --packages --where \"manager == 'pip'\"",
        "images genomics --packages --verify-nodes",
        "images genomics --packages --cyclonedx genomics.cdx.json",
    ),
    start,
    returns="One row per image; with `sources`, also one per snapshot and disk; with `packages`, one per package.",
    raises=(
        ("SpecError", "A condition is not valid, a file cannot be written, or it is not clear which image is meant."),
        ("NotFoundError", "There is no such image, or its packages are not known; the hint has how to get them."),
    ),
    extra_tables=(("image packages", _PACKAGES_TEXT), ("image nodes", _NODES_TEXT)),
)
