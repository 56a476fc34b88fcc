"""The packages of an image version: from the local store, otherwise from a node of a pool on that version.

The start task of a pool copies the list from the image to its working directory, where Batch serves it as a file of the
node. A list that was read once is in the local store: it is known when the nodes, or the image, are gone.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.package_list import MAX_BYTES, PackageList
from batchimg_magics.core.base.package_scripts import NODE_FILE
from batchimg_magics.core.batch import node_files, node_pages, nodes, pools
from batchimg_magics.errors import AuthenticationError, BatchImgError, NotFoundError, ServiceError, SpecError
from batchimg_magics.pool_spec.package_task import has_package_list
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.node_pages import NodeStatus

__all__ = ["FoundPackages", "NodePackages", "find_packages", "pools_on", "read_all_nodes", "read_packages", "tagged"]

#: The list as a file of a node; Batch on Windows nodes has backslashes in the names of files.
_PATH = f"startup/wd/{NODE_FILE}"
#: The most seconds for a node to answer; nodes that are asked at once; and nodes that are tried for one list.
_NODE_TIMEOUT_S, AT_ONCE, _MOST_TRIED = 90.0, 8, 5
#: Seconds between two requests for a list that a start task is still writing.
_LISTING_S = 5.0
#: States of nodes that serve files, the likeliest first.
_STATES = ("idle", "running", "waitingforstarttask", "starting", "starttaskfailed", "offline", "unknown")
_TAG = re.compile(r"(\d{1,7}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class NodePackages:
    """The list of a node, or why it could not be read.

    Parameters
    ----------
    pool, node_id, state
        The node.
    packages
        Its list; None: it could not be read.
    problem
        Why not.
    """

    pool: str
    node_id: str
    state: str
    packages: PackageList | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FoundPackages:
    """A list, and where it was found.

    Parameters
    ----------
    packages
        The list.
    where
        In words: the local store, or a node.
    """

    packages: PackageList
    where: str


async def read_packages(azure: Azure, version_id: str) -> PackageList:
    """Return the packages of an image version.

    Parameters
    ----------
    azure, version_id
        The connection, and the resource id of an image version or of a managed image.

    Raises
    ------
    NotFoundError
        The list is not known: it is not in the local store, and no node of a pool on that version has it.
    """
    return (await find_packages(azure, version_id)).packages


async def find_packages(
    azure: Azure, version_id: str, candidates: Sequence[Json] | None = None, tag: str | None = None
) -> FoundPackages:
    """Return the packages of an image version, and where they were found.

    Parameters
    ----------
    azure, version_id
        As for `read_packages`.
    candidates
        The documents of the pools whose nodes are asked; None: all pools on that version.
    tag
        The value of the tag ``batchimg-packages`` of the version, where it is known; None: it is read.

    Raises
    ------
    NotFoundError
        As for `read_packages`.
    """
    expected = await tagged(azure, version_id) if tag is None else _parse_tag(tag)
    known = (expected and expected[1]) or azure.packages.sha256_of(version_id)
    if (stored := azure.packages.get(known)) is not None:
        if azure.packages.sha256_of(version_id) != known:
            azure.packages.put(stored, version_id)  # that of another version, or of a run that was cut off
        return FoundPackages(stored, "from the local store")
    problems: list[str] = []
    on_it = await pools_on(azure, version_id) if candidates is None else candidates
    for pool in on_it:
        for node in await _likely_nodes(azure, str(pool["name"])):
            found = await _read_node(azure, pool, node)
            if found.packages is None:
                problems.append(f"node {found.node_id}: {found.problem}")
            elif expected is not None and found.packages.sha256 != expected[1]:
                problems.append(f"node {found.node_id} has a list with another SHA-256 than the image version")
            else:
                azure.packages.put(found.packages, version_id)
                return FoundPackages(found.packages, f"from node {found.node_id} of pool {found.pool}")
    raise _unknown(version_id, on_it, problems)


def _unknown(version_id: str, on_it: Sequence[Json], problems: list[str]) -> NotFoundError:
    """Return the error for a list that is not known, with the way to get it."""
    name = ResourceId.parse(version_id).label
    if not on_it:
        why, hint = "no pool is on it", f"create a pool with one node on it: --from-version {version_id} --nodes 1"
    elif not problems:
        pool = on_it[0]["name"]
        why = f"{'pool' if len(on_it) == 1 else 'pools'} {', '.join(str(one['name']) for one in on_it)} have no node"
        why = why.replace(" have ", " has ") if len(on_it) == 1 else why
        hint = f"one node is enough: `%batchimg resize {pool} --nodes 1`"
    else:
        why = (
            problems[0] if len(problems) == 1 else f"{problems[0]} (and {count_text(len(problems) - 1, 'other node')})"
        )
        hint = "the start task of pools that `create` makes provides it, unless they have --no-packages"
    return NotFoundError(f"the packages of image {name} are not known: {why}", hint=hint, status_code=404)


async def tagged(azure: Azure, version_id: str) -> tuple[int, str] | None:
    """Return the number of packages and the SHA-256 in the tags of an image; None where they have none."""
    try:
        found = await resources.read_or_none(azure, ResourceId.parse(version_id))
    except AuthenticationError:
        return None  # an image of others: its nodes tell
    return _parse_tag(str(dig(found, "tags", tags.PACKAGES) or ""))


def _parse_tag(text: str) -> tuple[int, str] | None:
    match = _TAG.fullmatch(text)
    return None if match is None else (int(match[1]), match[2])


async def pools_on(azure: Azure, version_id: str) -> list[Json]:
    """Return the documents of the account's pools whose image is a version."""
    found = await pools.read_all_cached(azure)
    return [one for one in found if str(pools.image_of(one) or "").lower() == version_id.lower()]


async def _likely_nodes(azure: Azure, pool: str) -> list[NodeStatus]:
    """Return the nodes of a pool that serve files most likely, the likeliest first."""
    if ready := await node_pages.read_ready_nodes(azure, pool, _MOST_TRIED):
        return ready
    found = await nodes.read_nodes(azure, pool, states_only=True)
    serving = [one for one in found if one.state in _STATES]
    return sorted(serving, key=lambda one: _STATES.index(one.state))[:_MOST_TRIED]


async def read_all_nodes(azure: Azure, on_it: Iterable[Json]) -> list[NodePackages]:
    """Return the list of each node of pools, in the order of the service."""
    found: list[tuple[Json, NodeStatus]] = []
    for pool in on_it:
        found += [(pool, one) for one in await nodes.read_nodes(azure, str(pool["name"]), states_only=True)]
    return await concurrency.gather(*(_read_node(azure, *one) for one in found), limit=AT_ONCE)


async def _read_node(azure: Azure, pool: Json, node: NodeStatus) -> NodePackages:
    """Return the list of one node. Where the connection itself fails, that is an error."""
    name = str(pool["name"])
    try:
        async with asyncio.timeout(_NODE_TIMEOUT_S):
            content = await _read_content(azure, pool, node.id)
        packages = PackageList.parse(content, what="its list")
    except TimeoutError:
        return NodePackages(name, node.id, node.state, problem=f"no answer within {_NODE_TIMEOUT_S:.0f} s")
    except NotFoundError as error:
        gone = error.code in ("NodeNotFound", "PoolNotFound")
        problem = "it left the pool" if gone else f"it has no file {NODE_FILE}"
        return NodePackages(name, node.id, node.state, problem=problem)
    except ServiceError as error:
        if error.status_code in (0, 401):
            raise
        return NodePackages(name, node.id, node.state, problem=error.message)
    except SpecError as error:
        return NodePackages(name, node.id, node.state, problem=error.message)
    return NodePackages(name, node.id, node.state, packages)


async def _read_content(azure: Azure, pool: Json, node_id: str) -> bytes:
    """Return the file of a node; wait while its start task may still be writing it."""
    lists = has_package_list(str(dig(pool, "properties", "startTask", "commandLine") or ""))
    while True:
        try:
            return await _read_file(azure, pool, node_id)
        except NotFoundError as error:
            if not lists or error.code != "FileNotFound" or not await _runs_start_task(azure, pool, node_id):
                raise
        await azure.sleep(_LISTING_S)


async def _runs_start_task(azure: Azure, pool: Json, node_id: str) -> bool:
    node = await nodes.read_node(azure, str(pool["name"]), node_id)
    return node is not None and node.start_task_info is not None and node.start_task_info.state == "running"


async def _read_file(azure: Azure, pool: Json, node_id: str) -> bytes:
    name = str(pool["name"])
    try:
        return await node_files.read_content(azure, name, node_id, _PATH, MAX_BYTES + 1)
    except NotFoundError as error:
        if error.code != "FileNotFound" or "windows" not in pools.agent_of(pool).lower():
            raise
        return await node_files.read_content(azure, name, node_id, _PATH.replace("/", "\\"), MAX_BYTES + 1)


async def keep_packages(
    azure: Azure, version_id: str, pool: Json, tag: str | None = None
) -> FoundPackages | BatchImgError:
    """Read the packages of an image from the nodes of its pool; return the error where that is not possible.

    Parameters
    ----------
    azure, version_id, tag
        As for `find_packages`.
    pool
        The document of the pool.
    """
    try:
        return await find_packages(azure, version_id, [pool], tag)
    except BatchImgError as error:
        return error
