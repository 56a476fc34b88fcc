"""Jobs around VMs and images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.core.images import packer
from batchimg_magics.core.operations import cleanup, images, migrate, vms
from batchimg_magics.core.operations.delete import delete_resources
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import check_choice
from batchimg_magics.pool_spec.values import parse_duration, pool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.jobs.job import VerbCall


def _vms(connection: Connection, *, connect: str | None = None) -> VerbCall:
    return lambda _: vms.list_vms(connection.azure) if connect is None else vms.show_login(connection.azure, connect)


def _images(connection: Connection, *, sources: bool = False) -> VerbCall:
    return lambda _: images.list_images(connection.azure, with_sources=sources)


def _orphans(
    connection: Connection, *, delete: bool = False, older_than: str | float | None = None, yes: bool = False
) -> VerbCall:
    age_s = 0.0 if older_than is None else parse_duration(older_than)
    if not delete:
        return lambda _: cleanup.list_leftovers(connection.azure, older_than_s=age_s)
    withheld = connection.emulator is None and not yes

    async def run(board: Board) -> Table:
        found = await cleanup.read_leftovers_deletion(connection.azure, older_than_s=age_s, blindly=yes or withheld)
        table = await delete_resources(connection.azure, found, board, what="orphans", dry_run=withheld)
        return replace(table, caption=f"{table.caption}; add --yes to do it") if withheld else table

    return run


def _migrate(
    connection: Connection,
    name: str | None = None,
    *,
    to: str | None = None,
    yes: bool = False,
    delete_old: bool = False,
) -> VerbCall:
    if name is None:
        if to or yes or delete_old:
            raise SpecError(
                "which pool is to be migrated?", hint="`%batchimg migrate` alone lists those that have to be"
            )
        return lambda _: migrate.list_legacy_pools(connection.azure)
    old, new = pool_name(name), pool_name(to or f"{name}-gallery")

    async def run(board: Board) -> Table:
        table = await migrate.migrate(connection.azure, old, new, board, dry_run=not yes, delete_old=delete_old)
        return table if yes else replace(table, caption=f"{table.caption}; add --yes to do it")

    return run


def _packer(
    connection: Connection,
    name: str,
    *,
    os: str = "Linux",
    base: str | None = None,
    generation: str | None = None,
    to: str = "gallery",
    output: str | None = None,
) -> VerbCall:
    system, end = check_choice(os, "--os", packer.SYSTEMS), check_choice(to, "--to", packer.ENDS)
    image = pool_name(name)
    boots = None if generation is None else check_choice(generation, "--generation", packer.GENERATIONS)

    async def run(_: Board) -> Table:
        table = await packer.make_template(
            connection.azure, image, os_type=system, base=base, end=end, generation=boots
        )
        if output is not None:
            _write(Path(output), table.attrs["text"])
            return replace(table, caption=f"{table.caption}, written to {output}")
        return table

    return run


def _write(file: Path, text: str) -> None:
    try:
        file.expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{file} cannot be written: {error.strerror}", hint="give --output another file") from error


#: Verb to its job.
JOBS: dict[str, Callable[..., VerbCall]] = {
    "vms": _vms,
    "images": _images,
    "orphans": _orphans,
    "migrate": _migrate,
    "packer": _packer,
}
