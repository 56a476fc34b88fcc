"""The verb ``run``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import (
    DRY_RUN,
    NO_WAIT,
    Option,
    Verb,
    VerbCall,
    check_choice,
    parse_count,
    parse_number,
    parse_pair,
    read_text_or_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.runs.input_table import InputTable
    from batchimg_magics.core.runs.template import Command

__all__ = ["VERB"]

#: What can run again.
_RETRY = ("failed",)
#: The most task slots of a node: four a core, at most 256. Source: Batch service, taskSlotsPerNode.
_MAX_SLOTS = 256
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
#: A part of a word that a shell would read as an operator.
_OPERATORS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>", "(", ")"})


def _combine_pairs(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(pairs)


def start(
    connection: Connection,
    name: str,
    *,
    over: str | InputTable | None = None,
    command: str | Sequence[str] | None = None,
    retry: str | None = None,
    dry_run: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations.run import run_command
    from batchimg_magics.core.runs.request import RunRequest
    from batchimg_magics.pool_spec.values import pool_name

    request = RunRequest(
        pool_name(name),
        _table(over).check(),
        _command(command),
        retry_failed=retry is not None and check_choice(retry, "--retry", _RETRY) == "failed",
        dry_run=dry_run,
        **_task_options(options),
    )
    return lambda board: run_command(connection.azure, request, board)


def _task_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `RunRequest` about the tasks."""
    get = options.get
    outputs = get("outputs") or ()
    patterns = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    return {
        "limit": _between(get("limit"), "--limit", 1, math.inf),
        "max_minutes": _between(get("max_minutes"), "--max-minutes", 1 / 60, 7 * 24 * 60),
        # Source: Batch service, maxTaskRetryCount: the upper limit is ours.
        "retries": _between(get("retries"), "--retries", 0, 100) or 0,
        "slots": _between(get("slots"), "--slots", 1, _MAX_SLOTS) or 1,
        "environment": _environment(get("environment") or {}),
        "user": get("user") or "",
        "container": get("container") or "",
        "outputs": patterns,
        "destination": _destination(patterns, get("to")),
    }


def _table(over: object) -> InputTable:
    from batchimg_magics.core.runs.input_files import read_table
    from batchimg_magics.core.runs.input_table import InputTable

    if isinstance(over, InputTable):
        return over
    if over is None:
        raise SpecError("the table was not given", hint="add --over FILE (CSV or Parquet), or --over $df in a notebook")
    return read_table(str(over))


def _command(command: object) -> Command:
    words = command if isinstance(command, str) else tuple(map(str, command or ()))  # type: ignore[call-overload] # a sequence
    if not words or (isinstance(words, str) and not words.strip()):
        raise SpecError(
            "the command was not given",
            hint="write it after --: -- align {sample}; or as the body of a %%batchimg cell",
        )
    if isinstance(words, str):
        if "\0" in words:
            raise SpecError("the command has a NUL character", hint="remove it")
        return words
    if (sign := next((word for word in words if word in _OPERATORS), None)) is not None:
        raise SpecError(
            f"{sign} is an operator of a shell, and the words after -- are one program",
            hint="write the command as the body of a cell (%%batchimg run ...), or with --command",
        )
    return words


def _between(value: Any, option: str, least: float, most: float) -> Any:  # noqa: ANN401 - an integer or a float
    if value is not None and not least <= value <= most:
        limit = f"{least:g} or more" if most == math.inf else f"from {least:g} to {most:g}"
        raise SpecError(f"{option} is {value}", hint=f"it must be {limit}")
    return value


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or "\0" in str(value):
            raise SpecError(f"--environment {name}: not the name of a variable", hint="letters, digits, underscores")
        if name.upper().startswith(("AZ_BATCH_", "BATCHIMG_")):
            raise SpecError(f"--environment {name}: the name is reserved", hint="choose another name")
    return {name: str(value) for name, value in variables.items()}


def _destination(patterns: Sequence[str], to: str | None) -> str:
    if bool(patterns) != bool(to):
        missing = "--to" if patterns else "--outputs"
        raise SpecError(
            f"{missing} was not given", hint="for example: --outputs '*.bam' --to https://x.blob.core.windows.net/c"
        )
    if to is None:
        return ""
    is_mount = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", to)
    if not is_mount and not re.fullmatch(r"https?://[^/?#\s]+/[^?#\s]+", to):
        has_query = "?" in to
        raise SpecError(
            "--to has a query, perhaps with a SAS"
            if has_query
            else f"--to is {to!r}, and neither the URL of a container nor a mount",
            hint="give the URL of the container alone, a managed identity of the pool writes to it; or a mount's name",
        )
    return to.rstrip("/")


VERB = Verb(
    "run",
    "Run a command for each row of a table on a pool, and return the table with what came of it",
    (
        Option("name", "Name of the pool", metavar="POOL", completion="pool"),
        Option(
            "--over",
            "Run over the rows of this CSV or Parquet file, or of a DataFrame: $df (required)",
            metavar="FILE",
            completion="file",
            annotation="str | pd.DataFrame",
            is_table=True,
        ),
        Option(
            "--command",
            "Set the script, as text or as @FILE (default: the words after --, or the body of the cell)",
            metavar="@FILE",
            parse=read_text_or_file,
            annotation="str | Sequence[str]",
            is_code=True,
        ),
        Option(
            "--limit",
            "Run the first N rows only; the same line without it runs the rest",
            metavar="N",
            parse=parse_count,
        ),
        Option(
            "--max-minutes",
            "Limit the duration of each row in minutes (default: no limit)",
            metavar="X",
            parse=parse_number,
        ),
        Option(
            "--retries", "Start a row again after a failure, up to N times (default 0)", metavar="N", parse=parse_count
        ),
        Option("--slots", "Set the number of task slots that a row takes (default 1)", metavar="N", parse=parse_count),
        Option(
            "--environment",
            "Set an environment variable; can be repeated",
            metavar="NAME=VALUE",
            parse=parse_pair,
            combine=_combine_pairs,
            annotation="Mapping[str, str]",
        ),
        Option(
            "--user", "Run as task, pool, admin, or an account of the pool (default: the one of Batch)", metavar="USER"
        ),
        Option("--container", "Run in a container of this image (default: on the node)", metavar="IMAGE"),
        Option(
            "--outputs",
            "Keep the files of a pattern such as '*.bam' when a row ends; can be repeated",
            metavar="PATTERN",
            combine=tuple,
            annotation="str | Sequence[str]",
        ),
        Option(
            "--to",
            "Upload the outputs to this container, with the managed identity of the pool; or copy them to this mount",
            metavar="DESTINATION",
        ),
        Option("--retry", "Run the rows again that failed (default: leave them)", metavar="WHICH", choices=_RETRY),
        DRY_RUN,
        NO_WAIT,
    ),
    (
        "run genomics --over samples.csv -- align --depth {depth} {sample}",
        "run genomics --over samples.csv --limit 20 -- align {sample}",
        "run genomics --over samples.csv --retry failed -- align {sample}",
        "run genomics --over $df --slots 2 --retries 1 --max-minutes 30 -- align {sample}",
    ),
    start,
    returns="One row per row of the table: its columns, then what came of it. A row that failed is no error.",
    raises=(
        ("NotFoundError", "There is no such pool."),
        ("SpecError", "The table or the command is not valid; nothing was sent."),
    ),
    text_body="command",
    words_after_dashes="command",
    extra_tables=(("run preview", "With ``--dry-run``, the first rows as they will run:"),),
)
