"""Small models of what Windows does with a command line: the delayed expansion of cmd, and the arguments of a program.

Written from Microsoft's pages on "cmd" and "Parsing C command-line arguments" alone; the package's code is not used.
"""

from __future__ import annotations


def run_in_cmd(line: str, environment: dict[str, str]) -> list[list[str]]:
    """Return the arguments of each program that a task's command line starts.

    Parameters
    ----------
    line
        The command line of the task: ``cmd [/v:on] /s /c "..."``.
    environment
        The variables of the task; Windows ignores the case of their names.
    """
    assert line.startswith("cmd ")
    assert "\n" not in line
    options, _, script = line.removeprefix("cmd ").partition('/c "')
    assert script.endswith('"')
    assert "/s" in options.split()
    known = {name.lower(): value for name, value in environment.items()}
    return [
        split_arguments(expand_later(command, known) if "/v:on" in options.split() else command)
        for command in split_commands(expand_first(script[:-1], known))
    ]


def expand_first(text: str, known: dict[str, str]) -> str:
    """Replace ``%NAME%`` before anything is parsed; on a command line, what is not known stays."""
    parts = text.split("%")
    shown, place = parts[0], 1
    while place < len(parts):
        if place + 1 < len(parts) and parts[place].lower() in known:
            shown += known[parts[place].lower()] + parts[place + 1]
            place += 2
        else:
            shown += f"%{parts[place]}"
            place += 1
    return shown


def split_commands(text: str) -> list[str]:
    """Split a line at ``&`` outside of double quotes; a caret there escapes the next character."""
    commands, command, quoted, place = [], "", False, 0
    while place < len(text):
        sign = text[place]
        if sign == "^" and not quoted:
            place += 1
            command += text[place : place + 1]
        elif sign == "&" and not quoted:
            commands.append(command)
            command = ""
        else:
            assert quoted or sign not in "|<>", "an operator that is not modelled"
            quoted ^= sign == '"'
            command += sign
        place += 1
    return [one.strip() for one in [*commands, command] if one.strip()]


def expand_later(command: str, known: dict[str, str]) -> str:
    """Replace ``!NAME!`` after the line has been parsed: the value is not parsed again."""
    if "!" not in command:
        return command
    shown, place = "", 0
    while place < len(command):
        sign = command[place]
        if sign == "^":  # it escapes once more in a line with an exclamation mark
            place += 1
            shown += command[place : place + 1]
        elif sign == "!":
            end = command.find("!", place + 1)
            assert end > 0
            shown += known.get(command[place + 1 : end].lower(), "")
            place = end
        else:
            shown += sign
        place += 1
    return shown


def split_arguments(command: str) -> list[str]:
    """Return the arguments of a program, as the runtime of C reads them; the first one is the program."""
    arguments: list[str] = []
    argument: str | None = None
    quoted, place = False, 0
    while place < len(command):
        slashes = len(command[place:]) - len(command[place:].lstrip("\\"))
        place += slashes
        sign = command[place : place + 1]
        if sign == '"':
            argument = (argument or "") + "\\" * (slashes // 2)
            if slashes % 2:
                argument += '"'
            elif quoted and command[place + 1 : place + 2] == '"':
                argument += '"'
                place += 1
            else:
                quoted = not quoted
        else:
            argument = (argument or "") + "\\" * slashes if slashes else argument
            if sign in (" ", "\t", "") and not quoted:
                arguments += [] if argument is None else [argument]
                argument = None
            else:
                argument = (argument or "") + sign
        place += 1
    return arguments if argument is None else [*arguments, argument]
