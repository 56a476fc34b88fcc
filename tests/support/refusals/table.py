"""All rows, as requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.compute_bodies import changed
from tests.support.refusals.actions import ACTIONS
from tests.support.refusals.changes import CHANGES
from tests.support.refusals.disks import DISKS, IMAGES, SNAPSHOTS
from tests.support.refusals.galleries import GALLERIES, VERSIONS
from tests.support.refusals.machines import MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refused(NamedTuple):
    """A request that is refused; the code is empty if it is not known."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    code: str


_NEW = {"disks": DISKS, "snapshots": SNAPSHOTS, "images": IMAGES, "virtualMachines": MACHINES}


def _rows() -> Iterator[Refused]:
    for kind, rows in _NEW.items():
        for name, base, changes, status, code in rows:
            yield Refused(f"{kind}: {name}", "PUT", f"{kind}/new", changed(base, changes), status, code)
    for name, path, base, changes, status, code in (*GALLERIES, *VERSIONS):
        yield Refused(f"galleries: {name}", "PUT", path, changed(base, changes), status, code)
    yield from (Refused(*row) for row in (*ACTIONS, *CHANGES))


ROWS = list(_rows())
