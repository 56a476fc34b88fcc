"""The texts of help: the list of verbs, the table of `help`, and what ``%batchimg?`` shows."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from batchimg_magics.verbs.grouped_options import group_options
from batchimg_magics.verbs.registry import all_verbs, load_verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.verbs.verb import Option

__all__ = ["MAX_WIDTH", "help_table", "magic_docstring", "text_width", "verbs_overview", "version_text"]

MAX_WIDTH = 100
_MAGIC_FORMS = """\
Turn one prepared Azure VM into an Azure Batch pool of any size.

    %batchimg VERB ...              run a verb; it returns a pandas DataFrame
    x = %batchimg VERB ...          keep the DataFrame; with a ; at the end, it is not shown
    %%batchimg VERB ...             a cell whose body is YAML (a formula for autoscale)
    %%batchimg x << VERB ...        the same, and keep the DataFrame
    %batchimg VERB -h               show the options of a verb

$name, {name} and {expression} are replaced in words and in bodies; $$, {{ and }} are the signs themselves.
A # at the start of a word begins a comment. In loops and functions, show a DataFrame with display(x).

    for n in (2, 4):
        x = %batchimg plan sim-$n --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes {n * 2}
        display(x)

    %%batchimg made << create sim-{n}
    from_vm: prep-vm
    vm_size: Standard_D4s_v5
    nodes: {n * 2}
    start_task: /bin/bash -c "echo $AZ_BATCH_NODE_ID {n}"

%config BatchImgMagics lists the settings of the magic: state, speed and show_progress.
"""


def text_width() -> int:
    """Return the width of help: that of the terminal, if there is one, and not too wide to read."""
    return min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns) if sys.stdout.isatty() else MAX_WIDTH


def version_text() -> str:
    """Return the name and the version of the package."""
    from importlib import metadata

    return f"batchimg_magics {metadata.version('batchimg_magics')}"


def magic_docstring() -> str:
    """Return what ``%batchimg?`` shows."""
    return f"{_MAGIC_FORMS}\n{verbs_overview()}"


def verbs_overview(
    prog: str = "%batchimg", commands: Iterable[tuple[str, str]] = (), shared: Iterable[Option] = (), after: str = ""
) -> str:
    """Return the verbs with one line each, as text.

    Parameters
    ----------
    prog
        The name of the front end.
    commands
        Usage and summary of the commands that only the front end has.
    shared
        The options that every command has.
    after
        Text for the end.
    """
    rows = [(verb.usage, verb.summary) for verb in all_verbs()] + [*commands]
    options = [(", ".join(filter(None, (one.short, one.usage))), one.help) for one in shared]
    options += [("-h, --help", "Show this help, or that of a verb"), ("--version", "Show the version")]
    return "\n".join(
        [
            f"usage: {prog} VERB ...",
            "",
            *_columns(rows),
            "",
            "options:" if not shared else "options of every command:",
            *_columns(options),
            "",
            f"{prog} VERB -h shows the options of a verb.",
            *(textwrap.wrap(after, text_width()) if after else []),
            "",
        ]
    )


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    """Return lines of two columns; a first one that is too long has a line of its own."""
    most = text_width()
    width = min(max(len(first) for first, _ in rows), most // 3)
    lines: list[str] = []
    for first, second in rows:
        wrapped = textwrap.wrap(second, most - width - 4) or [""]
        if len(first) > width:
            lines.append(f"  {first}")
            first = ""  # noqa: PLW2901 - it has its line
        lines += [
            f"  {one:<{width}}  {text}" for one, text in zip([first, *[""] * len(wrapped)], wrapped, strict=False)
        ]
    return lines


def help_table(about: str | None = None, prog: str = "%batchimg", commands: Iterable[tuple[str, str]] = ()) -> Table:
    """Return the verbs, or one verb and its options, as a table.

    Raises
    ------
    SpecError
        There is no such verb.
    """
    from batchimg_magics.core.base.table import Table

    if about is None:
        usages = [(verb.usage, verb.summary) for verb in all_verbs()] + [*commands]
        rows = [{"verb": usage.split()[0], "does": text, "command": f"{prog} {usage}"} for usage, text in usages]
        return Table.from_rows("help", rows, f"{prog} VERB -h shows the options of a verb")
    verb = load_verb(about)
    rows = [{"verb": verb.name, "does": verb.summary, "command": f"{prog} {verb.usage}"}]
    arguments = [option for option in verb.options if option.is_positional]
    for title, options in {"arguments": arguments, **group_options(verb.options)}.items():
        for option in options:
            rows.append({"verb": verb.name, "group": title, "does": option.full_help, "command": option.usage})
            values = option.describe() if option.describe else {}
            rows += [
                {"verb": verb.name, "group": title, "does": text, "command": f"{option.flag} {one}"}
                for one, text in values.items()
            ]
    return Table.from_rows("help", rows, f"{verb.name}: {verb.summary}")
