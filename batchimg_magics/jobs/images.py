"""Jobs around VMs and images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.core import apply, images, packer, vms
from batchimg_magics.errors import SpecError
from batchimg_magics.jobs.job import known
from batchimg_magics.spec import pool_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connecting import Link
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.tables import Table
    from batchimg_magics.jobs.job import Job


def _vms(link: Link) -> Job:
    return lambda _: vms.table(link.azure)


def _images(link: Link) -> Job:
    return lambda _: images.table(link.azure)


def _migrate(
    link: Link, name: str | None = None, *, to: str | None = None, yes: bool = False, delete_old: bool = False
) -> Job:
    if name is None:
        if to or yes or delete_old:
            raise SpecError(
                "which pool is to be migrated?", hint="`%batchimg migrate` alone lists those that have to be"
            )
        return lambda _: apply.to_migrate(link.azure)
    old, new = pool_name(name), pool_name(to or f"{name}-gallery")

    async def run(board: Board) -> Table:
        table = await apply.migrate(link.azure, old, new, board, dry_run=not yes, delete_old=delete_old)
        return table if yes else replace(table, caption=f"{table.caption}; add --yes to do it")

    return run


def _packer(
    link: Link,
    name: str,
    *,
    os: str = "Linux",
    base: str | None = None,
    to: str = "gallery",
    output: str | None = None,
) -> Job:
    system, end = known(os, "--os", packer.SYSTEMS), known(to, "--to", packer.ENDS)
    image = pool_name(name)

    async def run(_: Board) -> Table:
        table = await packer.table(link.azure, image, os_type=system, base=base, end=end)
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
    "migrate": _migrate,
    "packer": _packer,
}
