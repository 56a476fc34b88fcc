"""The verb ``create``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.node_options import NODE_OPTIONS
from batchimg_magics.verbs.origin_options import FROM_VM, ORIGIN_OPTIONS
from batchimg_magics.verbs.resize_options import CANARY, FALLBACK, LIMIT_OPTIONS, REPAIR, TAKE_WHAT_FITS, THEN_ZERO, TTL
from batchimg_magics.verbs.verb import (
    DRY_RUN,
    NAME,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    Option,
    Verb,
    VerbCall,
    read_text_file,
    read_text_or_file,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.operations.plan_file import SavedPlan

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str | None = None,
    *,
    spec: Mapping[str, Any] | str | None = None,
    plan: str | None = None,
    locked: str | None = None,
    replace: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import create
    from batchimg_magics.core.operations.plan import plan_table
    from batchimg_magics.pool_spec.pool import PoolSpec

    if name is None:
        raise SpecError("the following arguments are required: NAME", hint=f"usage: %batchimg {VERB.usage}")
    if locked is not None:
        if plan is not None:
            raise SpecError("--locked cannot be used with --plan: both have the whole pool", hint="remove one of them")
        return _start_locked(connection, name, spec, locked, options, replace=replace, yes=yes, dry_run=dry_run)
    saved = None if plan is None else _read_plan(connection, name, plan)
    if saved is None:
        pool_spec = PoolSpec.build(name, spec, **options)
    else:
        pool_spec = saved.spec(options, None if spec is None else PoolSpec.build(name, spec, **options))
        replace = saved.replace
    if dry_run:
        return lambda board: plan_table(connection.azure, pool_spec, board, replace=replace, saved=saved)
    consent = connection.consent(yes=yes)
    return lambda board: create.create(connection.azure, pool_spec, board, consent, replace=replace, saved=saved)


def _start_locked(
    connection: Connection,
    name: str,
    spec: Mapping[str, Any] | str | None,
    file: str,
    options: Mapping[str, Any],
    *,
    replace: bool,
    yes: bool,
    dry_run: bool,
) -> VerbCall:
    """Return the work of creating the pool of a lock."""
    from batchimg_magics.core.operations import locked_pool

    pool = locked_pool.read_locked_pool(file, name, spec, options)
    consent = None if dry_run else connection.consent(yes=yes)
    return lambda board: locked_pool.create_locked(connection.azure, pool, board, consent, replace=replace)


def _read_plan(connection: Connection, name: str, file: str) -> SavedPlan:
    """Return a saved plan, if it is of this pool and of this connection."""
    from batchimg_magics.core.operations import plan_file

    saved = plan_file.read_plan(file)
    if saved.name != name:
        raise SpecError(
            f"plan {file} is of pool {saved.name!r}, not of {name!r}", hint="leave out the name of the pool"
        )
    saved.refuse_other_connection(plan_file.connection_of(connection.azure, billed=connection.is_billed))
    return saved


def _complete(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the name of the pool, which a plan and a lock have."""
    if options.get("name") is not None:
        return options
    if options.get("plan") is not None:
        from batchimg_magics.core.operations.plan_file import read_plan

        return {**options, "name": read_plan(options["plan"]).name}
    if options.get("locked") is not None:
        from batchimg_magics.core.operations.verify import read_lock_file

        return {**options, "name": str(read_lock_file(options["locked"])["pool"]["name"])}
    return options


ACCEPT = Option(
    "--accept",
    "Accept the error of this preflight rule: it becomes a warning; can be repeated",
    metavar="RULE",
    completion="rule",
    combine=tuple,
)
VERB = Verb(
    "create",
    "Build an image from a VM or another source and create a pool; run it again to resume",
    (
        dataclasses.replace(NAME, told_by="--plan or --locked"),
        FROM_VM,
        Option(
            "--vm-size",
            "Set the VM size of the nodes, for example Standard_D4s_v5 (default: that of the pool or of the VM)",
            metavar="SIZE",
            completion="vm_size",
        ),
        NODES,
        SPOT,
        Option(
            "--formula",
            "Set the number of nodes with this autoscale formula, or the formula in the file @FILE",
            metavar="TEXT",
            parse=read_text_or_file,
            is_code=True,
        ),
        Option(
            "--formula-interval",
            "Set how often Azure evaluates the formula, at least 5m (default 15m)",
            metavar="DURATION",
        ),
        *ORIGIN_OPTIONS,
        *NODE_OPTIONS,
        Option(
            "--spec",
            "Read the pool description from a YAML file; options override its values",
            metavar="FILE",
            parse=read_text_file,
            completion="file",
            annotation="Mapping[str, Any] | str",
        ),
        Option(
            "--plan",
            "Do exactly what this plan of `plan --out` says, or say what has changed since",
            metavar="FILE",
            completion="file",
        ),
        Option(
            "--locked",
            "Create the pool of this lock file of `lock` from exactly its image, or say how to build the image again",
            metavar="FILE",
            completion="file",
        ),
        Option("--replace", "Delete and re-create an existing pool that differs (default: fail); on Azure, add --yes"),
        RESIZE_TIMEOUT,
        UNTIL,
        *LIMIT_OPTIONS,
        REPAIR,
        *CANARY,
        TAKE_WHAT_FITS,
        FALLBACK,
        TTL,
        THEN_ZERO,
        ACCEPT,
        DRY_RUN,
        Option(
            "--yes", "Confirm irreversible actions: --capture in-place; on Azure also --replace and another --formula"
        ),
        NO_WAIT,
    ),
    (
        "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
        "create genomics --from-vm desk-vm --stop --vm-size Standard_D4s_v5 --nodes 20",
        "create genomics --from-version $version --vm-size Standard_D4s_v5 --nodes 20",
        "create genomics --spec genomics.yaml --nodes 50",
        "create --plan genomics-plan.toml",
        "create --locked genomics.lock.toml --nodes 50",
    ),
    start,
    returns="One row per step.",
    raises=(
        ("SpecError, NotFoundError, ConflictError", "The request is not possible; nothing was changed."),
        ("ProvisioningError, ResizeError", "Azure failed at a step; the table of the error has the steps so far."),
    ),
    takes_body=True,
    changes=True,
    complete=_complete,
    extra_tables=(
        ("plan differences", "The error of `--plan`, if facts have changed since the plan was made, has:"),
        ("rebuild", "The error of `--locked`, if the image is gone, has the ways to build it again:"),
    ),
)
