"""``batchimg VERB ...``: the verbs on the command line. Tables are printed as text or as JSON.

``batchimg emulator`` exists on the command line only: it serves the emulator to other clients and prints no table.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.display.progress import NoProgress, TerminalProgress
from batchimg_magics.errors import BatchImgError, DetachedError, SpecError
from batchimg_magics.session.foreground import wait_with_progress
from batchimg_magics.ui import line_parser
from batchimg_magics.verbs.verb import JSON, PROFILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.session import Session

__all__ = ["main"]

PROG = "batchimg"
#: Usage and summary of what only the command line has.
COMMANDS = (
    ("emulator [options]", "Serve the emulator to other clients: SDKs, the Azure CLI and npm packages"),
    ("emulator exec -- PROGRAM", "Run a program with the emulator in place of Azure"),
)
#: The exit status of a shell for a program that Ctrl-C ended.
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one line.

    Parameters
    ----------
    words
        The verb and its words; by default the arguments of the process.

    Returns
    -------
    int
        0: success. 1: failure. 2: the line is not valid and nothing was done. 130: Ctrl-C.
    """
    words = [*(sys.argv[1:] if words is None else words)]
    if words[:2] == ["help", "emulator"]:
        words = [*words[1:], "--help"]
    if words[:1] == ["emulator"]:
        from batchimg_magics.emulator.server import main as serve

        return serve(words[1:])
    try:
        parsed = line_parser.parse_line(words, prog=PROG, shared=(JSON, PROFILE), commands=COMMANDS)
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
    """Refuse --no-wait: the steps of a verb run in this process."""
    if not parsed.options.get("wait", True):
        raise SpecError(
            f"{parsed.verb.name} --no-wait: not available on the command line, whose process ends at once",
            hint="remove --no-wait; in a notebook, the kernel continues the work",
        )


def _run(parsed: line_parser.ParsedLine) -> None:
    if parsed.verb.name == "help":
        _print(line_parser.help_table(parsed.options.get("verb"), PROG, COMMANDS), "", parsed)
        return
    if parsed.verb.name == "panel":
        raise SpecError("panel is available in a notebook only", hint="use `batchimg nodes NAME` here")
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
    """Write the plot of the nodes by state over time into the current directory."""
    from batchimg_magics.ui.plot import plot_nodes

    file = Path(f"{pool}-nodes.png")
    file.write_bytes(plot_nodes(table, pool))
    print(f"written: {file}", file=sys.stderr)


def _run_verb(session: Session, parsed: line_parser.ParsedLine) -> Table:
    options = parsed.options
    if "json" in parsed.shared and any(option.keyword == "prices" for option in parsed.verb.options):
        options = {"prices": False, **options}  # only the rows are printed, and they have no prices
    verb_run = session.begin(parsed.verb.name, **options)
    return wait_with_progress(verb_run, TerminalProgress(sys.stderr) if sys.stderr.isatty() else NoProgress())


def _print(table: Table, label: str, parsed: line_parser.ParsedLine) -> None:
    if "json" in parsed.shared:
        print(_json(table))
        return
    from batchimg_magics.display import tables  # not needed for JSON

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(
        _for_command_line(
            tables.render_text(table.columns, caption=tables.add_label(table.caption, label), width=width)
        )
    )
    if below := tables.format_notes(table.attrs):
        print(_for_command_line(below))


def _for_command_line(text: str) -> str:
    """Replace `%batchimg` in a text by the command."""
    return re.sub("%+batchimg", PROG, text)


def _json(table: Table) -> str:
    """Return the rows as JSON, one value per line; the standard library takes 40 times as long to indent."""
    import msgspec

    columns = {
        column.name: [value and value.isoformat() for value in table.columns[column.name]]
        if column.kind == "time"
        else table.columns[column.name]
        for column in table.schema
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return msgspec.json.format(msgspec.json.encode(rows), indent=1).decode()
