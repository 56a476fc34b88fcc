"""The environment variables of a row: one for each column, and the number of the row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MISSING", "OWN_PREFIX", "ROW", "variable_names"]

#: The prefix of variables of this tool.
OWN_PREFIX = "BATCHIMG_"
#: The number of the row, from 0, and the columns whose value is missing, by their numbers.
ROW, MISSING = f"{OWN_PREFIX}ROW", f"{OWN_PREFIX}MISSING"
#: Variables with a meaning for the system, a shell or the loader of programs; a column must not set one of them.
#: Source: POSIX, Bash Reference Manual, ld.so(8), "Recognized Environment Variables" of Windows, Batch.
_RESERVED = re.compile(
    r"PATH|HOME|USER|USERNAME|LOGNAME|SHELL|PWD|OLDPWD|IFS|ENV|TERM|LANG|TZ|TMP|TEMP|TMPDIR|HOSTNAME|UID|EUID|PPID|PS\d"
    r"|SHLVL|RANDOM|SECONDS|LINENO|REPLY|OPTARG|OPTIND|HISTFILE|CDPATH|GLOBIGNORE|POSIXLY_CORRECT|SHELLOPTS|FUNCNAME"
    r"|EPOCHSECONDS|EPOCHREALTIME|SRANDOM|DIRSTACK|GROUPS|PIPESTATUS|PROMPT_COMMAND|IGNOREEOF|TMOUT|_"
    r"|COMSPEC|PATHEXT|SYSTEMROOT|SYSTEMDRIVE|WINDIR|OS|PROMPT|CD|DATE|TIME|ERRORLEVEL|CMDCMDLINE|CMDEXTVERSION"
    r"|COMPUTERNAME|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMFILES|PROGRAMDATA|ALLUSERSPROFILE|PUBLIC|PSMODULEPATH"
    r"|(?:LD|LC|DYLD|AZ_BATCH|CCP|BATCHIMG|COMP)_.*|(?:BASH|PYTHON|PERL5).*|NUMBER_OF_PROCESSORS|PROCESSOR_.*"
    r"|JAVA_TOOL_OPTIONS|NODE_OPTIONS|RUBYOPT"
)


def variable_names(columns: Iterable[str], *, windows: bool = False) -> dict[str, str]:
    """Return the environment variable of each column.

    It has the name of the column. What is no letter of ASCII, digit or underscore becomes an underscore; a name that
    begins with a digit gets one in front, a name that the system or a shell uses (``PATH``) the prefix ``column_``, and
    one that is there already a number. Windows ignores case.
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    for column in columns:
        name = re.sub(r"[^A-Za-z0-9_]", "_", column)
        name = f"_{name}" if name[:1].isdigit() else name
        name = f"column_{name}" if _RESERVED.fullmatch(name.upper() if windows else name) else name
        number, free = 2, name
        while (free.lower() if windows else free) in used:
            free, number = f"{name}_{number}", number + 1
        used.add(free.lower() if windows else free)
        found[column] = free
    return found
