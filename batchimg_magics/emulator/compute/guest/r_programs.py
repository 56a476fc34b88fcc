"""The programs of R: ``Rscript`` and ``R``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.r_functions import Run
from batchimg_magics.emulator.compute.guest.r_language import Parser
from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, UnsupportedLineError

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


def _rscript(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run the expressions of ``-e``, a file, or standard input."""
    words, texts = list(argv[1:]), []
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-e" and words:
            texts.append(words.pop(0))
        elif option == "--version":
            shell.stdout.append("Rscript (R) version 4.3.3 (2024-02-29)\n")
            return 0
        elif option != "-" and not re.fullmatch(r"--(?:vanilla|slave|quiet|no-.*|default-packages=.*)|-q|-s", option):
            raise UnsupportedLineError(" ".join(argv))
    if not texts:
        text = shell.text_of(words[0]) if words else shell.take_input(stdin)
        if text is None:
            return shell.complain(f"Fatal error: cannot open file '{words[0]}': No such file or directory", 2)
        texts = [text]
    try:
        Run(shell).program(Parser("\n".join(texts)).program())
    except ScriptEndsError as end:
        return end.code
    return 0


R: dict[str, Program] = {"Rscript": _rscript, "R": _rscript}
