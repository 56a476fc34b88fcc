"""Jobs around VMs and images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.core.images import packer
from batchimg_magics.core.operations import cleanup, images, migrate, vms
from batchimg_magics.core.operations.delete import take_away
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import known
from batchimg_magics.pool_spec.values import parse_duration, pool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connection.connection import Link
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.jobs.job import Job


def _vms(connection: Link, *, connect: str | None = None) -> Job:
    return lambda _: vms.table(connection.azure) if connect is None else vms.login_table(connection.azure, connect)


def _images(connection: Link, *, sources: bool = False) -> Job:
    return lambda _: images.table(connection.azure, with_sources=sources)


def _orphans(
    connection: Link, *, delete: bool = False, older_than: str | float | None = None, yes: bool = False
) -> Job:
    age_s = 0.0 if older_than is None else parse_duration(older_than)
    if not delete:
        return lambda _: cleanup.table(connection.azure, older_than_s=age_s)
    withheld = connection.emulator is None and not yes

    async def run(board: Board) -> Table:
        found = await cleanup.to_delete(connection.azure, older_than_s=age_s, blindly=yes or withheld)
        table = await take_away(connection.azure, found, board, what="orphans", dry_run=withheld)
        return replace(table, caption=f"{table.caption}; add --yes to do it") if withheld else table

    return run


def _migrate(
    connection: Link, name: str | None = None, *, to: str | None = None, yes: bool = False, delete_old: bool = False
) -> Job:
    if name is None:
        if to or yes or delete_old:
            raise SpecError(
                "which pool is to be migrated?", hint="`%batchimg migrate` alone lists those that have to be"
            )
        return lambda _: migrate.to_migrate(connection.azure)
    old, new = pool_name(name), pool_name(to or f"{name}-gallery")

    async def run(board: Board) -> Table:
        table = await migrate.migrate(connection.azure, old, new, board, dry_run=not yes, delete_old=delete_old)
        return table if yes else replace(table, caption=f"{table.caption}; add --yes to do it")

    return run


def _packer(
    connection: Link,
    name: str,
    *,
    os: str = "Linux",
    base: str | None = None,
    generation: str | None = None,
    to: str = "gallery",
    output: str | None = None,
) -> Job:
    system, end = known(os, "--os", packer.SYSTEMS), known(to, "--to", packer.ENDS)
    image = pool_name(name)
    boots = None if generation is None else known(generation, "--generation", packer.GENERATIONS)

    async def run(_: Board) -> Table:
        table = await packer.table(connection.azure, image, os_type=system, base=base, end=end, generation=boots)
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
JOBS: dict[str, Callable[..., Job]] = {
    "vms": _vms,
    "images": _images,
    "orphans": _orphans,
    "migrate": _migrate,
    "packer": _packer,
}
