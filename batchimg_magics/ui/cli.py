"""``batchimg VERB ...``: the verbs on the command line. Tables are printed as text, JSON or tab-separated values.

``batchimg emulator`` and ``batchimg completion`` exist on the command line only, and print no table.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.progress import NoProgress, TerminalProgress
from batchimg_magics.errors import BatchImgError, DetachedError, SpecError
from batchimg_magics.masking import make_visible, visible_json
from batchimg_magics.pool_spec.line import unescape_braces
from batchimg_magics.session.foreground import run_with_progress
from batchimg_magics.ui import help_text, line_parser
from batchimg_magics.ui.shell_completion import ANSWER_COMMAND, SHELLS, answer, completion_script, remember_names
from batchimg_magics.verbs.verb import SHARED

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
    ("completion bash|zsh|fish", "Print a script that completes commands in a shell"),
)
#: The exit status if a verb only showed what it would do, because ``--yes`` was missing.
WITHHELD = 3
#: The exit status of a shell for a program that Ctrl-C ended, and for one whose output nobody reads.
INTERRUPTED, BROKEN_PIPE = 130, 141
EXIT_STATUS = (
    "Exit status: 0 done, 1 failed, or `verify` found a difference, or a row of a run failed, 2 the line is not "
    "valid and nothing was done, 3 nothing was done because --yes was missing, 130 after Ctrl-C."
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one line.

    Parameters
    ----------
    words
        The verb and its words; by default the arguments of the process.

    Returns
    -------
    int
        0: success. 1: failure, or a lock that differs from Azure. 2: the line is not valid and nothing was done.
        3: nothing was done because ``--yes`` was missing. 130: Ctrl-C. 141: whoever reads the output stopped before
        its end.
    """
    try:
        status = _run_line([*(sys.argv[1:] if words is None else words)])
        sys.stdout.flush()
    except BrokenPipeError:
        # As `head` does it. Python would report the error again when it flushes the output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _run_line(words: list[str]) -> int:
    try:
        if (status := _run_own_command(words)) is not None:
            return status
        parsed = line_parser.parse_line(words, prog=PROG, shared=SHARED, commands=COMMANDS, epilog=EXIT_STATUS)
        _refuse_no_wait(parsed)
        return _run(parsed)
    except line_parser.HelpRequested as text:
        print(text)
    except BatchImgError as error:
        print(_for_command_line("\n".join(error._render_traceback_())), file=sys.stderr)
        return INTERRUPTED if isinstance(error, DetachedError) else 2 if isinstance(error, SpecError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0  # help


def _run_own_command(words: list[str]) -> int | None:
    """Run a command that only the command line has, and return its status; None: it is none of them."""
    if words[:2] == ["help", "emulator"]:
        words = [*words[1:], "--help"]
    name, *rest = words or [""]
    if name == "emulator":
        from batchimg_magics.emulator.server import main as serve

        return serve(rest)
    if name == ANSWER_COMMAND:
        sys.stdout.write(answer(rest))
        return 0
    if name == "completion":
        if rest[:1] in (["-h"], ["--help"]):
            raise line_parser.HelpRequested(f"usage: batchimg completion {'|'.join(SHELLS)}\n\n{COMMANDS[-1][1]}.")
        sys.stdout.write(completion_script(rest))
        return 0
    return None


def _refuse_no_wait(parsed: line_parser.ParsedLine) -> None:
    """Refuse --no-wait: the steps of a verb run in this process."""
    if not parsed.options.get("wait", True):
        raise SpecError(
            f"{parsed.verb.name} --no-wait: not available on the command line, whose process ends at once",
            hint="remove --no-wait; in a notebook, the kernel continues the work",
        )


def _run(parsed: line_parser.ParsedLine) -> int:
    """Run a verb, print its table, and return the exit status."""
    _output_format(parsed)  # before anything is done
    if parsed.verb.name == "help":
        _print(help_text.help_table(parsed.options.get("verb"), PROG, COMMANDS), "", parsed)
        return 0
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
        remember_names(table, str(parsed.shared.get("profile", "")))
        if parsed.options.get("plot"):
            _write_plot(table, str(parsed.options["name"]))
        return (
            WITHHELD
            if table.attrs.get("withheld")
            else 1
            if table.attrs.get("differing") or _has_failed_rows(table)
            else 0
        )


def _has_failed_rows(table: Table) -> bool:
    return table.verb in ("run", "results") and bool(table.attrs.get("failed"))


def _output_format(parsed: line_parser.ParsedLine) -> str:
    """Return ``table``, ``json`` or ``tsv``."""
    output_format = str(parsed.shared.get("output_format", "json" if "json" in parsed.shared else "table"))
    if "json" in parsed.shared and output_format != "json":
        raise SpecError(f"--json and --output {output_format} cannot be combined", hint="use one of them")
    return output_format


def _write_plot(table: Table, pool: str) -> None:
    """Write the plot of the nodes by state over time into the current directory."""
    from batchimg_magics.core.base.files import write_file
    from batchimg_magics.ui.plot import plot_nodes

    file = Path(f"{pool}-nodes.png")
    write_file(file, plot_nodes(table, pool), force=True)
    print(f"written: {file}", file=sys.stderr)


def _run_verb(session: Session, parsed: line_parser.ParsedLine) -> Table:
    options = parsed.options
    if _output_format(parsed) != "table" and any(option.keyword == "prices" for option in parsed.verb.options):
        options = {"prices": False, **options}  # only the rows are printed, and they have no prices
    progress_display = TerminalProgress(sys.stderr) if sys.stderr.isatty() else NoProgress()
    return run_with_progress(session, parsed.verb.name, options, progress_display)


def _print(table: Table, label: str, parsed: line_parser.ParsedLine) -> None:
    output_format = _output_format(parsed)
    if output_format != "table":
        sys.stdout.write(f"{_json(table)}\n" if output_format == "json" else _tsv(table))
        return
    from batchimg_magics.display import tables  # not needed for the other formats

    caption = tables.add_label(table.caption, label)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = tables.render_terminal(table.columns, verb=table.verb, caption=caption, attrs=table.attrs, width=width)
    else:
        text = tables.render_text(table.columns, verb=table.verb, caption=caption, attrs=table.attrs)
    print(_for_command_line(text))


def _for_command_line(text: str) -> str:
    """Replace words of notebooks in a text: `%batchimg` is the command, and a body is in the file of ``--spec``."""
    text = re.sub(r"%+batchimg([^`\n]*)", lambda match: PROG + unescape_braces(match[1]), text)
    return re.sub(r"\b(?:the|a) body\b", "the --spec file", text)


def _json(table: Table) -> str:
    """Return the rows as JSON, one value per line; the standard library takes 40 times as long to indent."""
    import msgspec

    columns = _plain_columns(table)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    text = msgspec.json.format(msgspec.json.encode(rows), indent=1).decode()
    # The JSON escapes of what would control a terminal; line breaks are those between the values.
    return visible_json(text)


def _tsv(table: Table) -> str:
    r"""Return the rows as tab-separated values, without a header, as the Azure CLI does.

    A tab, a line break and a backslash in a value are written ``\t``, ``\n``, ``\r`` and ``\\``.
    """
    rows = zip(*_plain_columns(table).values(), strict=True)
    return "".join("\t".join(map(_tsv_value, row)) + "\n" for row in rows)


def _tsv_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return make_visible(text)


def _plain_columns(table: Table) -> dict[str, list[Any]]:
    """Return the columns, with times as text."""
    return {
        column.name: [value and value.isoformat() for value in table.columns[column.name]]
        if column.kind == "time"
        else list(table.columns[column.name])
        for column in table.schema
    }
