"""`--run-tasks` of the server: who can reach it can run commands as the user, so it is for this machine only."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.execution.executor import ExecutorTakenError
from batchimg_magics.emulator.serving import hosts

if TYPE_CHECKING:
    from batchimg_magics.emulator.emulator import Emulator

HELP = "Run the command lines of tasks on this machine, as you and without isolation"


def start(emulator: Emulator, host: str) -> None:
    """Run the tasks of a served emulator, and say so on standard error.

    Raises
    ------
    ValueError
        It is not possible; the text says why.
    """
    problem = ""
    if host == hosts.ANY_ADDRESS:
        problem = "--run-tasks: not with --container, because other machines could run commands here"
    elif os.name != "posix":
        problem = "--run-tasks needs Linux or macOS"
    else:
        try:
            emulator.run_tasks()
        except ExecutorTakenError:
            problem = "another process runs the tasks of this emulator state: close it there"
    if problem:
        emulator.close()
        raise ValueError(problem)
    sys.stderr.write("Tasks run on this machine, as you and without isolation, for whoever has access to the server.\n")
