"""``batchimg VERB ...``: the same verbs on the command line. Tables as text, or as JSON for machines.

``batchimg sim`` is of the command line alone: it serves the local Azure to other clients, and makes no table.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.errors import BatchImgError, DetachedError, SpecError
from batchimg_magics.ui import line_parser
from batchimg_magics.ui.progress import NoProgress, TerminalProgress, wait_with_progress
from batchimg_magics.ui.verbs import JSON, PROFILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.session import Session

__all__ = ["main"]

PROG = "batchimg"
#: The shell's own number for a program that Ctrl-C ended.
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one line.

    Parameters
    ----------
    words
        The verb and what follows it; by default the process's arguments.

    Returns
    -------
    int
        0: done. 1: it failed. 2: the line makes no sense, nothing was done. 130: Ctrl-C.
    """
    words = sys.argv[1:] if words is None else words
    if [*words[:1]] == ["sim"]:
        from batchimg_magics.emulator.server import main as serve

        return serve(words[1:])
    try:
        parsed = line_parser.parse_line(words, prog=PROG, shared=(JSON, PROFILE))
        _refuse_no_wait(parsed)
        _run(parsed)
    except line_parser.HelpRequested as text:
        print(text)
    except BatchImgError as error:
        print(_for_command_line("\n".join(error._render_traceback_())), file=sys.stderr)
        return INTERRUPTED if isinstance(error, DetachedError) else 2 if isinstance(error, SpecError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _refuse_no_wait(parsed: line_parser.ParsedLine) -> None:
    """Refuse --no-wait: work is several steps, and this process is who takes them."""
    if not parsed.options.get("wait", True):
        raise SpecError(
            f"{parsed.verb.name} --no-wait: work of several steps goes on while its process lives, and this one ends",
            hint="leave --no-wait out; in a notebook the kernel goes on with it",
        )


def _run(parsed: line_parser.ParsedLine) -> None:
    if parsed.verb.name == "help":
        _print(line_parser.help_table(parsed.options.get("verb"), PROG), "", parsed)
        return
    if parsed.verb.name == "panel":
        raise SpecError(
            "a panel needs a notebook", hint="there it is `%batchimg panel NAME`; here: batchimg nodes NAME"
        )
    from batchimg_magics.session.session import Session

    with Session() as session:
        if "profile" in parsed.shared:
            session.open(profile=parsed.shared["profile"])
        try:
            table = _run_verb(session, parsed)
        except BatchImgError as error:
            if error.table is not None:
                _print(error.table, session.label, parsed)
            raise
        _print(table, session.label, parsed)
        if parsed.options.get("plot"):
            _write_plot(table, str(parsed.options["name"]))


def _write_plot(table: Table, pool: str) -> None:
    """Write a picture of the nodes by state over time beside whoever asks."""
    from batchimg_magics.ui.plot import plot_nodes

    file = Path(f"{pool}-nodes.png")
    file.write_bytes(plot_nodes(table.attrs["samples"], pool))
    print(f"drawn: {file}", file=sys.stderr)


def _run_verb(session: Session, parsed: line_parser.ParsedLine) -> Table:
    options = parsed.options
    if "json" in parsed.shared and any(option.keyword == "prices" for option in parsed.verb.options):
        options = {"prices": False, **options}  # rows are all that is printed, and no price is in them
    verb_run = session.begin(parsed.verb.name, **options)
    return wait_with_progress(verb_run, TerminalProgress(sys.stderr) if sys.stderr.isatty() else NoProgress())


def _print(table: Table, label: str, parsed: line_parser.ParsedLine) -> None:
    if "json" in parsed.shared:
        print(_json(table))
        return
    from batchimg_magics.ui import tables  # JSON does without

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(
        _for_command_line(
            tables.render_text(table.columns, caption=tables.add_label(table.caption, label), width=width)
        )
    )
    if below := tables.format_notes(table.attrs):
        print(_for_command_line(below))


def _for_command_line(text: str) -> str:
    """Turn the notebook's lines in a text into the command line's."""
    return re.sub("%+batchimg", PROG, text)


def _json(table: Table) -> str:
    """Return the rows as JSON, one value a line; by msgspec, since json's own indenting takes 40 times as long."""
    import msgspec

    columns = {
        column.name: [value and value.isoformat() for value in table.columns[column.name]]
        if column.kind == "time"
        else table.columns[column.name]
        for column in table.schema
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return msgspec.json.format(msgspec.json.encode(rows), indent=1).decode()
