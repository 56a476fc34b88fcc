"""Jobs around VMs and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import images, vms

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.connecting import Link
    from batchimg_magics.jobs.job import Job


def _vms(link: Link) -> Job:
    return lambda _: vms.table(link.azure)


def _images(link: Link) -> Job:
    return lambda _: images.table(link.azure)


#: Verb to its job.
JOBS: dict[str, Callable[..., Job]] = {
    "vms": _vms,
    "images": _images,
}
