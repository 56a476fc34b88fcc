"""The verb ``logs``."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.verb import NAME, Option, Verb, VerbCall, parse_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

_SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>|k|m|kib|mib|kb|mb)b?", re.IGNORECASE)
#: Bytes that can be read of each file, at most: they are kept in memory, and in the notebook.
_MAX_BYTES = 64 * 1024**2


def parse_size(word: str) -> int:
    """Parse a number of bytes: ``65536``, ``64KiB`` or ``1MiB``."""
    match = _SIZE.fullmatch(word.strip())
    if match is None:
        raise ValueError("a size is a number of bytes, such as 65536, 64KiB or 1MiB")
    size = int(match["number"]) * {"": 1, "k": 1024, "m": 1024**2}[match["unit"][:1].lower()]
    if not 1 <= size <= _MAX_BYTES:
        raise ValueError(f"a size is between 1 byte and {_MAX_BYTES // 1024**2} MiB")
    return size


def start(
    connection: Connection,
    name: str | None = None,
    node: str | None = None,
    *,
    file: str | Sequence[str] = (),
    lines: int | None = None,
    max_bytes: int | str | None = None,
    limit: int | None = None,
    files: bool = False,
    **of_run: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.operations import logs
    from batchimg_magics.core.runs.outputs import OutputQuery, read_outputs
    from batchimg_magics.pool_spec.values import pool_name

    try:
        size = None if max_bytes is None else parse_size(str(max_bytes))
    except ValueError as error:
        raise SpecError(f"--bytes is {max_bytes!r}: {error}") from error
    for option, number in (("--lines", lines), ("--limit", limit)):
        if number is not None and number < 1:
            raise SpecError(f"{option} is {number}", hint="expected a whole number, 1 or more")
    run, row = of_run.get("run"), of_run.get("row")
    if run is not None:
        if name is not None or node is not None or file or files:
            raise SpecError("--run names the tasks to read", hint="remove the pool, the node, --file and --list")
        outputs = OutputQuery(run, row, lines, size, limit)
        return lambda _: read_outputs(connection.azure, outputs)
    if row is not None:
        raise SpecError("--row is of a run", hint="add --run RUN; `%batchimg runs` lists the runs")
    if name is None:
        raise SpecError("the following arguments are required: NAME", hint="name a pool, or add --run RUN")
    if node is not None and limit is not None:
        raise SpecError("--limit has no effect with a node", hint="remove --limit, or the node")
    words = (file,) if isinstance(file, str) else tuple(file)
    query = logs.LogQuery(pool_name(name), node, words, lines, size, limit, files)
    return lambda _: logs.read_logs(connection.azure, query)


VERB = Verb(
    "logs",
    "Show the start task's output of nodes, other files of nodes, or what the rows of a run printed",
    (
        dataclasses.replace(NAME, told_by="--run"),
        Option(
            "node",
            "ID of a node, or a part of it (default: the nodes that failed)",
            metavar="NODE",
            completion="node",
            optional=True,
        ),
        Option(
            "--file",
            "Show this file, or the files of a pattern such as 'workitems/*stderr.txt'; can be repeated",
            metavar="FILE",
            combine=tuple,
            annotation="str | Sequence[str]",
        ),
        Option("--lines", "Show only the last lines of each file", metavar="N", parse=parse_count),
        Option(
            "--bytes",
            "Read this much of the end of each file (default: 64KiB; with NODE 1MiB)",
            metavar="SIZE",
            parse=parse_size,
            dest="max_bytes",
            annotation="int | str",
        ),
        Option(
            "--limit",
            "Read this many nodes, those that failed first (default: up to 10 that failed, or 10 if none did)",
            metavar="N",
            parse=parse_count,
        ),
        Option("--list", "List the files without their text", dest="files"),
        Option(
            "--run",
            "Show what the rows of this run printed, those that failed first",
            metavar="RUN",
            completion="run",
        ),
        Option("--row", "With --run: show this row only, by its number", metavar="N", parse=parse_count),
    ),
    (
        "logs genomics",
        "logs genomics tvmps_f5d3 --lines 50",
        "logs genomics tvmps_f5d3 --list",
        "logs genomics --file 'workitems/*stderr.txt' --limit 100",
        "logs --run run-3f2a91c04d",
        "logs --run 3f2a --row 17 --lines 50",
    ),
    start,
    returns="One row per file; a node whose files cannot be read has one row with the reason.",
    raises=(("NotFoundError", "There is no such pool, node, run or row."),),
    extra_tables=(("run logs", "With ``--run``:"),),
)
