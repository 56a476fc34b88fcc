"""The verb ``update``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import DRY_RUN, NO_WAIT, Option, Verb, VerbCall, read_text_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

#: Seconds for which the old version stays before its end of life.
_KEEP = "90d"


def start(
    connection: Connection,
    name: str,
    *,
    run: Sequence[str] = (),
    script: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.images.update_commands import read_commands
    from batchimg_magics.core.operations import update, update_source
    from batchimg_magics.pool_spec.values import parse_duration, pool_name
    from batchimg_magics.resource_ids import ResourceId

    drain, replace = bool(options.get("drain")), bool(options.get("replace"))
    copy_subnet = options.get("copy_subnet")
    if drain and replace:
        raise SpecError("--drain and --replace exclude each other", hint="--drain lets tasks end, --replace ends them")
    if copy_subnet is not None and not ResourceId.parse(copy_subnet).type.lower().endswith("/subnets"):
        raise SpecError(f"{copy_subnet} is not a subnet", hint="expected an id that ends with /subnets/NAME")
    keep_s = parse_duration(options.get("end_of_life") or _KEEP)
    if keep_s < 0:
        raise SpecError("--end-of-life is negative", hint="for example 90d")
    how = "drain" if drain else "replace" if replace else "keep"
    commands = read_commands((run,) if isinstance(run, str) else tuple(run), script)
    again, size = bool(options.get("again")), options.get("copy_size")
    request = update_source.UpdateRequest(commands, again, how, keep_s, size, copy_subnet)
    consent = connection.consent(yes=yes, dry_run=dry_run, always=replace)
    target = pool_name(name)
    return lambda board: update.update(connection.azure, target, request, board, consent)


VERB = Verb(
    "update",
    "Run commands on the image of a pool, as a new image version, and move the pool to it",
    (
        Option("name", "Name of the pool", metavar="POOL", completion="pool"),
        Option(
            "--run",
            "Run this command as root in a temporary VM of the image; only its hash is stored; can be repeated",
            metavar="COMMAND",
            combine=tuple,
            is_code=True,
        ),
        Option(
            "--script",
            "Run this script as root, after the commands of --run: a shell or Python script, PowerShell on Windows",
            metavar="FILE",
            parse=read_text_file,
            completion="file",
        ),
        Option("--again", "Run the commands again on the image that they made (default: nothing is to do then)"),
        Option("--drain", "Remove the nodes of the pool when their tasks have ended, move it, and add them again"),
        Option("--replace", "Remove the nodes of the pool at once, move it, and add them again; add --yes"),
        Option(
            "--end-of-life",
            "Set the end-of-life date of the old image version: this time from now (default 90d)",
            metavar="DURATION",
        ),
        Option(
            "--copy-size",
            "Set the VM size of the temporary VM (default: a small size whose family has free cores)",
            metavar="SIZE",
        ),
        Option(
            "--copy-subnet",
            "Set the subnet of the temporary VM, with a way to package servers (default: that of the pool or VM)",
            metavar="ID",
        ),
        DRY_RUN,
        Option("--yes", "Confirm --replace; on Azure also --drain"),
        NO_WAIT,
    ),
    (
        'update genomics --run "apt-get update && apt-get -y upgrade"',
        "update genomics --script install.sh --dry-run",
        'update genomics --run "apt-get -y upgrade" --drain',
    ),
    start,
    returns="One row per package that differs between the two versions; one row per step if these are not known.",
    raises=(
        ("NotFoundError, SpecError, ConflictError", "The update is not possible; nothing was changed."),
        ("ProvisioningError, ResizeError", "A step failed; the pool is on its old image."),
    ),
    changes=True,
    extra_tables=(("diff", "If the packages of both versions are known:"),),
)
