"""`images --packages` and `diff`: what an image contains, whether nodes have the same, and what differs between two."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import resources
from batchimg_magics.core.base import concurrency, files, filters
from batchimg_magics.core.base.package_list import FILE_SUFFIX, MAX_BYTES, PackageList, changes, changes_text
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table, filter_column
from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute import galleries, image_versions
from batchimg_magics.core.images import cyclonedx, packages
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.images.packages import NodePackages

__all__ = [
    "check_export",
    "check_where",
    "diff_packages",
    "export_cyclonedx",
    "find_image",
    "show_packages",
    "verify_nodes",
]

_NUMBER = re.compile(r"\d+\.\d+\.\d+")
#: The manager of lines of a list that tell what could not be read.
_UNREADABLE = "unreadable"
#: Names that a caption or an error lists.
_MOST_NAMED = 5


def check_where(where: str | None) -> None:
    """Check a condition on the packages.

    Raises
    ------
    SpecError
        It is not valid.
    """
    if where is not None:
        filters.parse(where, SCHEMAS["image packages"])


async def show_packages(azure: Azure, wanted: str | None, *, where: str | None = None) -> tuple[Table, PackageList]:
    """Return the packages of an image, one row per package, and the whole list.

    Parameters
    ----------
    azure
        The connection.
    wanted
        As for `find_image`.
    where
        A condition that selects rows; None: all rows.

    Raises
    ------
    SpecError, NotFoundError
        The image is not known, or its packages are not.
    """
    image = await find_image(azure, wanted)
    found = await packages.find_packages(azure, image)
    rows = [
        {"manager": one.manager, "name": one.name, "version": one.version, "source": one.source or None}
        for one in found.packages.packages
    ]
    table = Table.from_rows("image packages", rows)
    if where is not None:
        test = filters.parse(where, table.schema)
        mask = [answer is True for answer in test(table.columns)]
        table.columns = {name: filter_column(values, mask) for name, values in table.columns.items()}
    shown = len(table.columns["name"])
    counted = count_text(found.packages.count, "package")
    matching = f"{shown:,} of {counted} match" if where is not None else counted
    table.caption = (
        f"image {ResourceId.parse(image).label}: {matching} ({_managers_text(found.packages)}), "
        f"sha256 {found.packages.sha256[:12]}, {found.where}{not_read_text(found.packages)}"
    )
    table.attrs = {
        "image": image,
        "sha256": found.packages.sha256,
        "count": found.packages.count,
        "resources": {"image_version": image},
    }
    return table, found.packages


def _managers_text(found: PackageList) -> str:
    counts = Counter(one.manager for one in found.packages if one.manager != _UNREADABLE)
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "empty"


def not_read_text(found: PackageList) -> str:
    """Return what a list says that could not be read, for a caption; empty where all was read."""
    parts = [f"{one.name} ({one.source})" for one in found.packages if one.manager == _UNREADABLE]
    more = f", and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return f"; not read: {', '.join(parts[:_MOST_NAMED])}{more}" if parts else ""


def check_export() -> None:
    """Check that a list can be exported.

    Raises
    ------
    SpecError
        The library is not installed.
    """
    cyclonedx.check_library()


async def export_cyclonedx(azure: Azure, image: str, found: PackageList) -> str:
    """Return the list of an image as a CycloneDX document, whose time is that of the image where it is known."""
    document = (await image_versions.read_image_version(azure, image)).document
    published = image_versions.published_at(document) if document else None
    at = published or dt.datetime.fromtimestamp(azure.now(), dt.UTC)
    resource = ResourceId.parse(image)
    name, _, version = resource.label.partition("/")
    return cyclonedx.cyclonedx_text(found, name, version, at)


# -- which image -------------------------------------------------------------------------------------------------


async def find_image(azure: Azure, wanted: str | None) -> str:
    """Return the resource id of an image.

    Parameters
    ----------
    azure
        The connection.
    wanted
        A resource id; the name of a pool, whose image it is; the name of an image, whose newest version it is; a
        version, as ``1.0.2`` or ``NAME/1.0.2``. None: the only image that pools of the account use.

    Raises
    ------
    SpecError, NotFoundError
        There is no such image, or several are possible.
    """
    if wanted is not None and wanted.startswith("/"):
        return _checked_id(wanted)
    in_use = {str(one["name"]): image for one in await pools.read_all_cached(azure) if (image := pools.image_of(one))}
    if wanted is None:
        return _only_image(in_use)
    for name, image in in_use.items():
        if name.lower() == wanted.lower():
            return image
    definitions = await _definitions(azure, in_use.values())
    versions = await _versions(azure, definitions, wanted)
    if len(versions) == 1:
        return versions[0]
    if versions:
        raise SpecError(f"{wanted!r} is a version of {len(versions)} images", hint=f"it is one of: {_named(versions)}")
    known = [*in_use, *(str(one["name"]) for one in definitions)]
    raise NotFoundError(
        f"there is no image or pool {wanted!r}",
        hint=suggest_name(wanted, known) or "`%batchimg images` lists the images",
        status_code=404,
    )


def _checked_id(wanted: str) -> str:
    kind = ResourceId.parse(wanted).type.lower()
    if kind not in ("microsoft.compute/galleries/images/versions", "microsoft.compute/images"):
        raise SpecError(f"{wanted} is no image version", hint="`%batchimg images` lists the images, with their IDs")
    return wanted


def _only_image(in_use: dict[str, str]) -> str:
    images = {image.lower(): image for image in in_use.values()}
    if len(images) == 1:
        return next(iter(images.values()))
    if images:
        raise SpecError(
            f"pools use {len(images)} images: name one", hint=f"one of the pools: {', '.join(sorted(in_use))}"
        )
    raise SpecError("no pool uses an image: name one", hint="`%batchimg images` lists the images, with their IDs")


def _named(ids: list[str]) -> str:
    """Return images as they can be given: ``NAME/1.0.2``."""
    names = ["/".join(name for _, name in ResourceId.parse(one).path[-2:]) for one in ids]
    return ", ".join(names[:_MOST_NAMED])


async def _definitions(azure: Azure, in_use: Iterable[str]) -> list[Json]:
    """Return the image definitions of the gallery of the account, and of the galleries with images that pools use."""
    places = {str(gallery).lower(): gallery for gallery in [galleries.gallery_id(azure)]}
    for image in map(ResourceId.parse, in_use):
        if len(image.path) > 1:
            gallery = dataclasses.replace(image, path=image.path[:1])
            places.setdefault(str(gallery).lower(), gallery)
    listed = await concurrency.gather(*(resources.read_list(azure, f"{one}/images") for one in places.values()))
    return [definition for each in listed for definition in each]


async def _versions(azure: Azure, definitions: Iterable[Json], wanted: str) -> list[str]:
    """Return the ids of the versions that a text means: ``NAME`` (its newest one), ``NAME/1.0.2`` or ``1.0.2``."""
    name, _, number = wanted.rpartition("/")
    if not _NUMBER.fullmatch(number):
        name, number = wanted, ""
    found: list[str] = []
    for definition in definitions:
        if name and str(definition["name"]).lower() != name.lower():
            continue
        versions = await image_versions.read_versions(azure, ResourceId.parse(definition["id"]))
        ordered = sorted(versions, key=lambda one: [int(part) for part in re.findall(r"\d+", str(one["name"]))])
        matching = [one for one in ordered if str(one["name"]) == number] if number else ordered[-1:]
        found += [str(one["id"]) for one in matching]
    return found


# -- every node --------------------------------------------------------------------------------------------------


async def verify_nodes(azure: Azure, wanted: str | None) -> Table:
    """Return whether each node of the pools on an image has its list of packages, one row per node.

    Parameters
    ----------
    azure, wanted
        The connection, and the image as for `find_image`; of a pool, only that pool's nodes.

    Raises
    ------
    SpecError, NotFoundError
        The image is not known, or no pool is on it.
    """
    image = await find_image(azure, wanted)
    on_it = await packages.pools_on(azure, image)
    named = [one for one in on_it if wanted is not None and str(one["name"]).lower() == wanted.lower()]
    if not on_it:
        raise NotFoundError(
            f"no pool is on image {ResourceId.parse(image).label}",
            hint="`%batchimg pools` lists the pools with their images",
            status_code=404,
        )
    found = await packages.read_all_nodes(azure, named or on_it)
    expected = await _expected(azure, image, found)
    rows = [_node_row(one, expected) for one in found]
    counts = Counter(row["result"] for row in rows)
    words = ", ".join(f"{counts[word]:,} {word}" for word in ("ok", "differs", "not readable") if counts[word])
    caption = f"image {ResourceId.parse(image).label}: {words or 'no node'}; sha256 {expected[:12] or 'not known'}"
    attrs = {"image": image, "sha256": expected or None, "resources": {"image_version": image}}
    return Table.from_rows("image nodes", rows, caption, **attrs)


async def _expected(azure: Azure, image: str, found: list[NodePackages]) -> str:
    """Return the SHA-256 of the list of an image: of its tag, of the local store, or that of most nodes."""
    if (tagged := await packages.tagged(azure, image)) is not None:
        return tagged[1]
    if known := azure.packages.sha256_of(image):
        return known
    seen = Counter(one.packages.sha256 for one in found if one.packages is not None)
    return seen.most_common(1)[0][0] if seen else ""


def _node_row(one: NodePackages, expected: str) -> dict[str, Any]:
    row: dict[str, Any] = {"node_id": one.node_id, "pool": one.pool, "state": one.state}
    if one.packages is None:
        return row | {"result": "not readable", "detail": one.problem}
    same = one.packages.sha256 == expected
    return row | {
        "result": "ok" if same else "differs",
        "packages": one.packages.count,
        "sha256": one.packages.sha256,
    }


# -- two images --------------------------------------------------------------------------------------------------


async def diff_packages(azure: Azure, old: str, new: str) -> Table:
    """Return the packages that two images do not have in the same version, one row per package.

    Parameters
    ----------
    azure
        The connection.
    old, new
        Each a file with a list of packages (``.tsv``), a lock file, or an image as for `find_image`.

    Raises
    ------
    SpecError, NotFoundError
        One of them cannot be read.
    """
    (old_name, before), (new_name, after) = [await _read_side(azure, one) for one in (old, new)]
    found = changes(before, after)
    rows = [
        {"manager": one.manager, "name": one.name, "change": one.change, "old": one.old, "new": one.new}
        for one in found
    ]
    missing = "".join(
        f"; {name}{text}" for name, one in ((old_name, before), (new_name, after)) if (text := not_read_text(one))
    )
    caption = (
        f"{old_name} to {new_name}: {changes_text(found)} "
        f"({before.count:,} and {count_text(after.count, 'package')}){missing}"
    )
    attrs = {"old_sha256": before.sha256, "new_sha256": after.sha256}
    return Table.from_rows("diff", rows, caption, **attrs)


async def _read_side(azure: Azure, wanted: str) -> tuple[str, PackageList]:
    """Return the name of one side for captions, and its packages."""
    if wanted.lower().endswith((FILE_SUFFIX, ".toml", ".lock")) and not wanted.startswith("/subscriptions/"):
        return wanted.replace("\\", "/").rpartition("/")[2], read_packages_file(wanted)
    image = await find_image(azure, wanted)
    return ResourceId.parse(image).label, await packages.read_packages(azure, image)


def read_packages_file(path: str) -> PackageList:
    """Return the list in a file, or beside a lock file, whose SHA-256 must be the one in the lock file.

    Raises
    ------
    SpecError
        The file cannot be read, or its list is not the one that the lock file names.
    """
    if path.lower().endswith(FILE_SUFFIX):
        return PackageList.parse(files.read_file(path, max_bytes=MAX_BYTES), what=path)
    from batchimg_magics.core.lock import lock_file  # lock files only

    lock = lock_file.parse_lock(files.read_file(path), path)
    section = lock.get("packages") or {}
    if "sha256" not in section:
        raise SpecError(f"{path} has no list of packages", hint="write the lock file again, while the pool has a node")
    name = str(section.get("file") or lock_file.packages_file_name(str(lock["pool"].get("name"))))
    beside = Path(path).expanduser().parent / Path(name).name
    found = PackageList.parse(files.read_file(beside, max_bytes=MAX_BYTES), what=str(beside))
    if section["sha256"] != found.sha256:
        raise SpecError(
            f"{beside} is not the list of the lock file: its SHA-256 is {found.sha256[:12]}",
            hint=f"get the file that was written with {path}",
        )
    return found
