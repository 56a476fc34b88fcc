"""`create --locked`: make the pool of a lock from exactly its image, or say how the image can be built again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.lock.comparisons import show
from batchimg_magics.core.lock.facts import time_text
from batchimg_magics.core.lock.rebuilding import find_ways, way_rows
from batchimg_magics.core.lock.resources_read import ResourceReader
from batchimg_magics.core.operations import create, plan
from batchimg_magics.core.operations.verify import read_lock_file
from batchimg_magics.errors import BatchImgError, ConflictError, NotFoundError, SpecError
from batchimg_magics.pool_spec.image_origin import ORIGIN_FIELDS, ImageOriginSpec
from batchimg_magics.pool_spec.line import option_flag
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.resize_policy import ResizePolicy
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board

__all__ = ["LockedPool", "create_locked", "read_locked_pool"]

#: Fields of a spec that say how much, how long and how; they may differ from the lock.
_FREE = frozenset({*ResizePolicy.model_fields, "nodes", "spot", "formula", "formula_interval", "accept"})
#: Fields that add to those of the lock, which leaves the names of people out.
_ADDED = ("tags", "metadata")
#: Fields of the image source: they say how a lost image is built again.
_OF_IMAGE = frozenset(ImageOriginSpec.model_fields) - {"node_agent_sku"}


class LockedPool:
    """The pool of a lock that is to be created.

    Parameters
    ----------
    lock, file
        The lock, and its file.
    name
        The name of the pool.
    spec
        The pool to be created.
    """

    def __init__(self, lock: Json, file: str, name: str, spec: PoolSpec) -> None:
        self.lock, self.file, self.name, self.spec = lock, file, name, spec

    @property
    def _locked_image(self) -> Json:
        return self.lock.get("image") or {}

    @property
    def rebuilds(self) -> bool:
        """Whether the image is built again from another source, since the locked one is lost."""
        return self.spec.origin_field not in self.lock["spec"]

    async def check_image(self, azure: Azure) -> None:
        """Check that the locked image is there, or that it is lost where it is to be built again.

        Raises
        ------
        NotFoundError, ConflictError
            The image is gone, or another one has its name: the hint has the nearest way to build it again, and the
            table of the error has all ways.
        SpecError
            The image is to be built again, and is there.
        """
        reader = ResourceReader(azure)
        image = str(self._locked_image.get("id") or "")
        found = await reader.read(image)
        if found.reason:
            return  # Batch may have a permission that the caller does not have; the preflight checks tell
        problem = self._problem(found.value)
        if self.rebuilds:
            if not problem:
                raise SpecError(
                    f"{option_flag(self.spec.origin_field)} contradicts the lock, whose image exists",
                    hint=f"leave it out, or leave out --locked; the image is {_label(image)}",
                )
            return
        if problem is not None:
            raise await self._lost(reader, problem)

    def _problem(self, image: Json | None) -> BatchImgError | None:
        """Return what is wrong with the locked image; None: it is the one."""
        locked = self._locked_image
        name = _label(str(locked.get("id") or ""))
        if image is None:
            return NotFoundError(f"image {name} of {Path(self.file).name} does not exist any more", status_code=404)
        published = time_text(dig(image, "properties", "publishingProfile", "publishedDate"))
        if published != locked.get("published"):
            return ConflictError(
                f"image {name} is not the locked one: it was published at {published}, the locked one at "
                f"{locked.get('published')}",
                status_code=409,
            )
        return None

    async def _lost(self, reader: ResourceReader, problem: BatchImgError) -> BatchImgError:
        ways = await find_ways(reader, self.lock, self.name, self.file)
        nearest = next((way for way in ways if not way.missing), None)
        problem.hint = "it cannot be built again: the table has what is missing"
        if nearest is not None:
            several = ", and the lines before it in the table" if len(nearest.commands) > 1 else ""
            problem.hint = f"build it again from the {nearest.source}: `{nearest.commands[-1]}`{several}"
        caption = f"pool {self.name}: ways to build the image again, the nearest first; nothing was changed"
        problem.table = Table.from_rows("rebuild", way_rows(ways), caption)
        return problem

    async def told(self, azure: Azure, table: Table) -> Table:
        """Return the table of `create` with what differs from the lock in its caption."""
        node, differing = self.lock["node"], []
        if self.rebuilds:
            differing.append("the image was built again")
        if (region := await azure.region()) != node.get("region"):
            differing.append(f"region {region}, locked {node.get('region')}")
        if str(azure.scope.account_id).lower() != str(self.lock["pool"]["id"]).rpartition("/pools/")[0].lower():
            differing.append(
                f"account {azure.scope.account}, locked {ResourceId.parse(self.lock['pool']['id']).path[0][1]}"
            )
        if table.attrs.get("withheld"):
            return table
        name = Path(self.file).name
        table.caption += f"; differs from {name}: {', '.join(differing)}" if differing else f"; as {name} says"
        return table


async def create_locked(
    azure: Azure, pool: LockedPool, board: Board, consent: Consent | None, *, replace: bool = False
) -> Table:
    """Create the pool of a lock, or resume an earlier run.

    Parameters
    ----------
    azure, pool, board
        The connection, the pool, and the progress display.
    consent
        As for `create`; None: only say what would be done.
    replace
        Whether an existing pool that differs is deleted and created again.

    Raises
    ------
    NotFoundError, ConflictError
        The image is gone, or another one; the table of the error has the ways to build it again.
    SpecError, ProvisioningError, ResizeError
        As `create`.
    """
    await pool.check_image(azure)
    if consent is None:
        return await pool.told(azure, await plan.plan_table(azure, pool.spec, board, replace=replace))
    return await pool.told(azure, await create.create(azure, pool.spec, board, consent, replace=replace))


def _label(image: str) -> str:
    return str(show(image) or "the image")


def read_locked_pool(
    file: str, name: str | None, body: Mapping[str, Any] | str | None = None, options: Mapping[str, Any] | None = None
) -> LockedPool:
    """Return the pool of a lock with options.

    Parameters
    ----------
    file
        The lock file.
    name
        The name of the pool; None: the locked one.
    body, options
        As `PoolSpec.build` takes them: numbers of nodes, limits and expiry replace those of the lock.

    Raises
    ------
    SpecError
        The file is no lock file, an option contradicts it, or it cannot be created.
    """
    lock = read_lock_file(file)
    pool = name or str(lock["pool"]["name"])
    locked = _locked_values(lock, Path(file).name)
    given = {key: value for key, value in (options or {}).items() if value is not None}
    if isinstance(given.get("start_task"), str):
        given["start_task"] = {"command_line": given["start_task"]}
    if body is not None:
        given = {**_body_values(body, pool), **given}
    origin = any(key in given and _plain(given[key]) != _plain(locked.get(key)) for key in ORIGIN_FIELDS)
    if origin:
        for key in _OF_IMAGE:
            locked.pop(key, None)
    for key, value in given.items():
        free = key in _FREE or (origin and key in _OF_IMAGE) or (key == "start_task" and _masked_task(lock))
        if not free and key not in _ADDED and _plain(value) != _plain(locked.get(key)):
            raise SpecError(
                f"{option_flag(key)} contradicts the lock: {show(value)}, locked {show(locked.get(key)) or 'not set'}",
                hint="leave it out; number of nodes, limits and expiry can be given beside --locked",
            )
    if (reason := _masked_task(lock)) and "start_task" not in given:
        raise SpecError(f"the start task of {Path(file).name} is not complete: {reason}", hint="add --start-task")
    for key in _replaced(given):
        locked.pop(key, None)
    added = {key: {**locked.get(key, {}), **given[key]} for key in _ADDED if key in given}
    return LockedPool(lock, file, pool, PoolSpec.build(pool, {**locked, **given, **added}))


def _masked_task(lock: Json) -> str:
    """Return why the start task of a lock is not complete; empty: it is."""
    return str((lock.get("unknown") or {}).get("spec.start_task.command_line") or "")


def _locked_values(lock: Json, file: str) -> dict[str, Any]:
    """Return the spec of a lock as `PoolSpec` takes it."""
    values = dict(lock["spec"])
    if packages := values.get("application_packages"):
        values["application_packages"] = {one: version or None for one, version in packages.items()}
    unknown = lock.get("unknown") or {}
    if not any(values.get(key) for key in ORIGIN_FIELDS):
        reason = unknown.get("spec.from_version") or unknown.get("spec") or "its image is not known"
        raise SpecError(f"the pool of {file} cannot be created: {reason}", hint="`%batchimg verify FILE` compares it")
    return values


def _body_values(body: Mapping[str, Any] | str, pool: str) -> dict[str, Any]:
    """Return the values of the body of a cell."""
    from batchimg_magics.pool_spec.body import parse_body

    found = parse_body(body) if isinstance(body, str) else body
    values = {str(key).replace("-", "_"): value for key, value in (found or {}).items()}
    if values.pop("name", pool) != pool:
        raise SpecError(
            f"the pool name is {pool!r} in the command, and another one in the body", hint="specify it once"
        )
    return values


def _replaced(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of the lock that options replace, although they have other names."""
    if "formula" in given:
        return ("nodes", "spot", "formula_interval")
    return ("formula", "formula_interval") if given.keys() & {"ttl", "nodes", "spot"} else ()


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of an option
    """Return a value in which tuples and lists, and ids and sizes in another case, are equal."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.lower() if isinstance(value, str) else value
