"""The redirects of commands: where they read from, and where they print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.shell_streams import FileOutput, Stream
from batchimg_magics.emulator.compute.guest.shell_values import expand_one

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell_base import ShellBase
    from batchimg_magics.emulator.compute.guest.shell_syntax import Command


def open_redirects(shell: ShellBase, command: Command, stdin: str | None) -> tuple[str | None, bool]:
    """Apply the redirects of a command; return the standard input, and whether all files could be opened."""
    for operator, target in command.redirects:
        stream, sign = operator.rstrip("<>&|"), operator.lstrip("0123456789")
        text = expand_one(shell, target)
        if sign in ("<<", "<<<"):
            stdin = text + ("\n" if sign == "<<<" else "")
        elif sign == "<":
            stdin = shell.text_of(text)
            if stdin is None:
                shell.complain(f"{shell.parameters[0]}: {command.line}: cannot open {text}: No such file")
                return None, False
        elif sign in (">&", "<&") and (text.isdigit() or text == "-"):
            _join(shell, stream, text)
        elif not _open(shell, stream, sign, text):
            shell.complain(f"{shell.parameters[0]}: {command.line}: cannot create {text}: Directory nonexistent")
            return None, False
    return stdin, True


def _join(shell: ShellBase, stream: str, other: str) -> None:
    if stream == "2" and other == "1":
        shell.stderr = shell.stdout
    elif stream in ("", "1") and other == "2":
        shell.stdout = shell.stderr


def _open(shell: ShellBase, stream: str, sign: str, path: str) -> bool:
    if path in ("/dev/stdout", "/dev/stderr"):
        _join(shell, stream or "1", "1" if path.endswith("out") else "2")
        return True
    full = shell.full_path(path)
    before = (shell.text_of(full) or "") if sign.endswith(">>") else ""
    if not shell.write(full, before):
        return False
    sink = FileOutput(full, before)
    if sign.startswith("&") or sign == ">&":
        shell.stdout = shell.stderr = sink
    elif stream == "2":
        shell.stderr = sink
    else:
        shell.stdout = sink
    return True


def close_redirects(shell: ShellBase, before: tuple[list[str], list[str], Stream | None]) -> None:
    """Write the files that a command printed into, and print where the shell did before."""
    for sink in (shell.stdout, shell.stderr):
        if isinstance(sink, FileOutput) and all(sink is not one for one in before[:2]):
            shell.write(sink.path, "".join(sink))
    shell.stdout, shell.stderr, shell.stdin = before
