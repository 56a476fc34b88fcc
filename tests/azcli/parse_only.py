"""Read lines for ``az`` with its own parser, and do nothing: the program that az's own Python runs.

Each line of the input is a command without ``az``; each line of the output says why one cannot be read.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import sys

from azure.cli.core import get_default_cli  # type: ignore[import-not-found] # in az's environment, not in ours
from azure.cli.core.commands.events import (  # type: ignore[import-not-found] # the same
    EVENT_INVOKER_POST_LOAD_ARGUMENTS,
    EVENT_INVOKER_PRE_LOAD_ARGUMENTS,
)
from knack.events import EVENT_INVOKER_POST_CMD_TBL_CREATE  # type: ignore[import-not-found] # the same


def refusal(words: list[str]) -> str:
    """Return why az cannot read a command; nothing where it can."""
    cli = get_default_cli()
    cli.data["command_string"] = " ".join(words)
    invoker = cli.invocation_cls(
        cli_ctx=cli,
        parser_cls=cli.parser_cls,
        commands_loader_cls=cli.commands_loader_cls,
        help_cls=cli.help_cls,
        initial_data=cli.data,
    )
    cli.invocation = invoker
    loader = invoker.commands_loader
    table = loader.load_command_table(words)
    command = next((name for end in range(len(words), 0, -1) if (name := " ".join(words[:end])) in table), None)
    if command is None:
        return "there is no such command"
    invoker.data["command_string"] = command
    loader.command_name = command
    # What every command knows, such as --ids and --subscription, az adds by events.
    cli.raise_event(EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
    loader.load_arguments(command)
    for event in (EVENT_INVOKER_POST_LOAD_ARGUMENTS, EVENT_INVOKER_POST_CMD_TBL_CREATE):
        cli.raise_event(event, commands_loader=loader)
    invoker.parser.load_command_table(loader)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            invoker.parser.parse_args(words)
        except SystemExit:
            return next((one for one in said.getvalue().splitlines() if one.strip()), "it is not read")
    return ""


if __name__ == "__main__":
    for line in sys.stdin.read().splitlines():
        if why := refusal(shlex.split(line)):
            sys.stdout.write(f"az {line}: {why}\n")
