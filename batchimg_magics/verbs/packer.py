"""The verb ``packer``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall, check_choice

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str,
    *,
    os: str = "Linux",
    base: str | None = None,
    generation: str | None = None,
    to: str = "gallery",
    output: str | None = None,
    force: bool = False,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.base import files
    from batchimg_magics.core.images import packer
    from batchimg_magics.pool_spec.values import pool_name

    system, end = check_choice(os, "--os", packer.SYSTEMS), check_choice(to, "--to", packer.ENDS)
    image = pool_name(name)
    boots = None if generation is None else check_choice(generation, "--generation", packer.GENERATIONS)
    if output is not None:
        files.check_new_file(output, force=force)

    async def run(_: Board) -> Table:
        table = await packer.make_template(
            connection.azure, image, os_type=system, base=base, end=end, generation=boots
        )
        if output is not None:
            files.write_file(output, table.attrs["text"], force=force)
            return replace(table, caption=f"{table.caption}, written to {output}")
        return table

    return run


VERB = Verb(
    "packer",
    "Print a Packer template that builds an image for the pools of the account",
    (
        Option("name", "Name of the image", metavar="NAME"),
        Option(
            "--os", "Set the operating system: Linux (default) or Windows", metavar="OS", choices=("Linux", "Windows")
        ),
        Option(
            "--base",
            "Set the Marketplace base image (default: a verified image that Batch supports)",
            metavar="PUBLISHER:OFFER:SKU",
        ),
        Option(
            "--generation",
            "Override the Hyper-V generation of the base image (default: as Batch lists it)",
            metavar="GENERATION",
            choices=("V1", "V2"),
        ),
        Option(
            "--to",
            "Set the output: gallery (default), vhd, or managed-image (accounts in user subscription mode only)",
            metavar="FORMAT",
            choices=("gallery", "vhd", "managed-image"),
        ),
        Option("--output", "Write the template to this file as well", metavar="FILE", completion="file"),
        Option("--force", "Replace the file of --output if it exists"),
    ),
    ("packer tools", "packer tools --os Windows --output tools.pkr.hcl"),
    start,
    returns='One row; ``attrs["text"]`` has the template.',
    raises=(
        (
            "SpecError",
            "The pools of the account do not support such an image, or the file exists or cannot be written.",
        ),
    ),
)
