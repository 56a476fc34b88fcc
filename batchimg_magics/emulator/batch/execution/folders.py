"""The directories of nodes on this machine: where tasks run, and where their files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.world.private_files import make_private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Item

#: Directories of every node. Source: Batch documents, files and directories.
_OF_NODE = ("shared", "startup/wd", "workitems", "fsmounts")


class NodeFolder(msgspec.Struct, frozen=True):
    """The directory of one node.

    Parameters
    ----------
    root
        Its root, ``AZ_BATCH_NODE_ROOT_DIR``.
    """

    root: Path

    @classmethod
    def of(cls, base: Path, pool: Pool, node: str) -> NodeFolder:
        """Return the directory of a node below that of all nodes."""
        account = pool.key.rpartition("/pools/")[0].rpartition("/")[2]
        return cls(base / account / pool.name.lower() / node)

    def make(self) -> None:
        """Create the directories of the node."""
        for name in _OF_NODE:
            make_private_folder(self.root / name)

    def task(self, item: Item) -> Path:
        """Return the directory of a task."""
        return self.root / task_folder(item)

    @property
    def startup(self) -> Path:
        """The directory of the start task."""
        return self.root / "startup"


def task_folder(item: Item) -> str:
    """Return the directory of a task on its node, relative to the root."""
    job = item.key.split("/jobs/")[1].split("/")[0]
    return f"workitems/{job}/job-1/{item.doc['id']}"


def inside(folder: Path, path: str) -> Path:
    """Return a path below a directory.

    Raises
    ------
    ValueError
        It leads out of the directory.
    """
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise ValueError(path)
    return found
