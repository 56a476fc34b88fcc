"""A process of a task: its words, its environment, its output files, and its end.

Batch does not run a command line in a shell. Users and elevation are not simulated: a process runs as the user who
started the emulator. Its environment has the variables of Batch and of the task, and of this process only `PATH`.

Source: Batch documents, "Task runtime environment variables".
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Exit codes of a shell for programs that do not exist or may not be run.
_NOT_FOUND, _NOT_PERMITTED = 127, 126
#: Ends with the process that started it: nothing is left if the emulator is killed.
_GUARD = (
    "import ctypes,os,signal,sys;"
    "ctypes.CDLL(None).prctl(1,signal.SIGKILL) if sys.platform=='linux' else None;"
    "os.execvp(sys.argv[1],sys.argv[1:])"
)


class TaskProcess(msgspec.Struct):
    """A process that runs.

    Parameters
    ----------
    process
        The process, which leads a process group.
    began
        When it began, by the monotonic clock of this machine.
    limit_s
        The longest real time that it may run; None: no limit.
    timed_out
        Whether it was ended for that.
    """

    process: subprocess.Popen[bytes]
    began: float
    limit_s: float | None = None
    timed_out: bool = False

    def poll(self) -> int | None:
        """Return the exit code; None while it runs. A process that runs too long is ended."""
        if self.limit_s is not None and not self.timed_out and time.monotonic() - self.began > self.limit_s:
            self.timed_out = True
            self.end()
        code = self.process.poll()
        if code is None:
            return None
        self.end()  # what it left in its group
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def start(
    command: str, folder: Path, environment: Mapping[str, str], limit_s: float | None = None
) -> TaskProcess | int:
    """Start a command line in the directory ``wd`` of a task's directory, where its output files are.

    Returns
    -------
    TaskProcess or int
        The process; the exit code of a shell if it cannot be started.
    """
    work = folder / "wd"
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as errors:
        try:
            words = shlex.split(command)
            guarded: Sequence[str] = [sys.executable, "-IS", "-c", _GUARD, *words]
            if not words or not _program(words[0], work, environment):
                errors.write(f"{words[0] if words else command}: not found\n".encode())
                return _NOT_FOUND
            process = subprocess.Popen(  # noqa: S603 - what the user asked for, by --run-tasks
                guarded,
                cwd=work,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            errors.write(f"{error}\n".encode())
            return _NOT_PERMITTED
    return TaskProcess(process, time.monotonic(), limit_s)


def _program(word: str, work: Path, environment: Mapping[str, str]) -> bool:
    if "/" in word:
        return os.access(work / word, os.X_OK)
    folders = environment.get("PATH", "").split(os.pathsep)
    return any(os.access(os.path.join(folder, word), os.X_OK) for folder in folders)  # noqa: PTH118 - may be relative


def task_environment(
    names: Mapping[str, str], root: Path, folder: Path, settings: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the environment of a task.

    Parameters
    ----------
    names
        The variables that name its account, pool, node, job and task.
    root, folder
        The root directory of its node, and its own.
    settings
        The environment settings of the job and the task; the last one with a name counts.
    """
    work = str(folder / "wd")
    own = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": work,
        "USER": "_azbatch",
        "LANG": "C.UTF-8",
        "TMPDIR": work,
        "AZ_BATCH_NODE_ROOT_DIR": str(root),
        "AZ_BATCH_NODE_SHARED_DIR": str(root / "shared"),
        "AZ_BATCH_NODE_STARTUP_DIR": str(root / "startup"),
        "AZ_BATCH_NODE_MOUNTS_DIR": str(root / "fsmounts"),
        "AZ_BATCH_TASK_DIR": str(folder),
        "AZ_BATCH_TASK_WORKING_DIR": work,
        **names,
    }
    return own | {str(one["name"]): str(one.get("value") or "") for one in settings}
