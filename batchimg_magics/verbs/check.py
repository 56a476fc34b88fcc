"""The verb ``check``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.pool_spec.words import CHECK_KINDS
from batchimg_magics.verbs.create import VERB as CREATE
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
    kind: str | None = None,
    pool: str | None = None,
    role: bool = False,
    **asked: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import check
    from batchimg_magics.pool_spec.values import pool_name

    which = None if kind is None else check_choice(kind, "--as", CHECK_KINDS)
    target = None if pool is None else pool_name(pool)
    every = bool(asked.pop("all", False))

    async def run(_: Board) -> Table:
        table = await check.check_resource(connection.azure, name, kind=which, pool=target, asked=asked, every=every)
        # The table always has the role, for programs; it is long, so it is shown only on request.
        return replace(table, attrs={**table.attrs, "show_role": True}) if role else table

    return run


#: Options of `create` that a check does not need, and those that name another source: here NAME is the source.
_EXCLUDED_OPTIONS = frozenset(
    {
        "name", "wait", "until", "plan",
        "yes", "replace", "dry_run", "data_snapshots", "storage_account", "os_type",
        "generation", "security_type", "architecture",
    }
)  # fmt: skip

VERB = Verb(
    "check",
    "Run preflight checks: requirements, quotas and permissions of a VM, image or pool",
    (
        Option(
            "name",
            "Name or resource ID of a VM, image or pool; for an image also GALLERY/DEFINITION/VERSION",
            metavar="NAME",
            completion="checkable",
        ),
        Option(
            "--as",
            "Set the resource type if several resources have this name: vm, image or pool",
            metavar="KIND",
            choices=CHECK_KINDS,
            dest="kind",
        ),
        Option("--pool", "Check the VM or image for use in this pool", metavar="NAME", completion="pool"),
        Option("--all", "Show all checks, also those that passed or were not possible (default: failed checks only)"),
        Option("--role", "Print the smallest custom role with the required permissions, as JSON"),
        # The name is the image source.
        *(
            option
            for option in CREATE.options
            if option.keyword not in _EXCLUDED_OPTIONS and not option.keyword.startswith("from_")
        ),
    ),
    (
        "check prep-vm",
        "check prep-vm --vm-size Standard_D4s_v5 --nodes 400",
        "check genomics --nodes 1000",
        "check batchimg_labbatch/genomics/1.0.0 --role",
    ),
    start,
    returns=(
        'One row per failed check, with `all` one row per check; ``attrs["role"]`` has the smallest role that is '
        "sufficient."
    ),
    raises=(
        ("NotFoundError", "Nothing has that name."),
        ("SpecError", "Several resources have that name, or the options are not valid."),
    ),
    takes_body=True,
)
