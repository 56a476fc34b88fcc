"""Kill processes of the command line by SIGKILL while others go on with the same state file, and run their lines again.

Run it with `python -m tests.support.sigkills`. Several processes run at the same time, at a finite speed: lines for
different pools, and two for the same pool. Each kills itself at a request whose number comes from a seed, by turns
before the request is sent and after the service has handled it, and is started again, until the number of kills is
reached. In the end, each line is run once more. The resources must be those of a state in which the same lines ran one
after the other; the state and the history must be intact, and the state's time must never go back.

What protects the state: SQLite writes to the file itself only what is in its write-ahead log. What a process has
written is with the operating system, so that the death of a process loses nothing, whatever `PRAGMA synchronous` is;
only a power failure could. A transaction that was not finished is not in the state. Locks are the system's, which
releases them with the process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.transport import EmulatorTransport
from batchimg_magics.emulator.world.store import Store
from batchimg_magics.ui import cli
from tests.support.crash import damaged_databases, differences, untagged
from tests.support.crash_process import enter_folder, run_forked
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import new_state_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_POOL = ("--vm-size", "Standard_D4ds_v5")
LINES = (
    ("create", "first", "--from-vm", "prep-vm", "--nodes", "6", "--spot", "2", *_POOL),
    ("create", "first", "--from-vm", "prep-vm", "--nodes", "6", "--spot", "2", *_POOL),
    ("create", "second", "--from-vm", "desk-vm", "--nodes", "2", *_POOL),
    ("create", "third", "--from-vm", "prep-vm", "--nodes", "3", "--ttl", "12h", *_POOL),
)
#: Simulated seconds in a second, while processes are killed.
SPEED = 600
#: A line that is not killed before this request may end.
_LAST_REQUEST, _SURE_REQUEST = 60, 8


def run_killed(folder: Path, words: Sequence[str], kill_at: int, speed: str) -> None:
    """Run a line of the command line in this process, which kills itself at a request unless that is 0."""
    enter_folder(folder)
    os.environ.update({"BATCHIMG_STATE": str(folder / "world.db"), "BATCHIMG_SPEED": speed})
    send, sent = EmulatorTransport.send, 0

    async def count_and_send(transport: EmulatorTransport, request: Any, **options: Any) -> Any:
        nonlocal sent
        sent += 1
        is_last = sent == kill_at
        if is_last and kill_at % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await send(transport, request, **options)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
            await asyncio.Event().wait()  # the signal is on its way
        return answer

    EmulatorTransport.send = count_and_send  # type: ignore[method-assign] # this process ends with the line
    with (folder.parent / f"{os.getpid()}.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        status = cli.main(words)
        sys.stdout.flush()
        os._exit(status)


@dataclass
class Supervisor:
    """Starts processes, and starts them again when they were killed.

    Parameters
    ----------
    folder
        With the state file ``files/world.db``.
    lines
        The lines, one process for each.
    kills
        How many processes are killed.
    seed
        Of the numbers of the requests.
    own_program
        Whether each process is a program that is started anew, and not only a fork of this process.
    """

    folder: Path
    lines: Sequence[Sequence[str]]
    kills: int
    seed: int = 0
    own_program: bool = False
    killed: int = 0
    problems: list[str] = field(default_factory=list)
    _running: dict[int, tuple[int, bool]] = field(default_factory=dict)
    _latest: float = 0.0

    def run(self) -> list[str]:
        """Kill the processes, run all lines to their end, and return what went wrong."""
        chance = random.Random(self.seed)  # noqa: S311 - the same points in every run
        for index in range(len(self.lines)):
            self._start(index, chance.randint(1, _LAST_REQUEST) if self.kills else 0)
        while self._running:
            process, status = os.wait()
            index, was_to_die = self._running.pop(process)
            ended = os.waitstatus_to_exitcode(status)
            self.killed += ended == -signal.SIGKILL
            self._check_time()
            if ended not in (0, -signal.SIGKILL):
                log = (self.folder / f"{process}.log").read_text()
                self.problems.append(f"{' '.join(self.lines[index])}: ended with {ended}: {log[-800:]}")
                continue
            # A line that has ended is run again, as long as processes are to be killed.
            missing = self.kills - self.killed - sum(dies for _, dies in self._running.values())
            if missing > 0:
                self._start(index, chance.randint(1, _LAST_REQUEST if ended else _SURE_REQUEST))
            elif ended or was_to_die:
                self._start(index, 0)
        return self.problems

    def _start(self, index: int, kill_at: int) -> None:
        process = os.fork()
        if process == 0:
            words = [*self.lines[index]]
            if self.own_program:
                program = [sys.executable, "-m", "tests.support.sigkills", "--line", str(kill_at), str(self.folder)]
                os.execv(sys.executable, [*program, *words])  # noqa: S606 - this file
            run_forked_line(self.folder / "files", words, kill_at)
        self._running[process] = (index, kill_at > 0)

    def _check_time(self) -> None:
        """Check that the state can be read, and that its time did not go back."""
        store = Store(self.folder / "files" / "world.db", start=0)
        latest = store.latest_time()
        store.close()
        if latest < self._latest:
            self.problems.append(f"the time went back from {self._latest} to {latest}")
        self._latest = latest


def run_forked_line(folder: Path, words: Sequence[str], kill_at: int) -> None:
    """Run a line in a process that was forked, and end it."""
    try:
        run_killed(folder, words, kill_at, str(SPEED))
    finally:
        os._exit(1)


def kill_and_compare(
    folder: Path,
    lines: Sequence[Sequence[str]],
    kills: int,
    seed: int = 0,
    *,
    own_program: bool = False,
    before: Sequence[Sequence[str]] = (),
) -> list[str]:
    """Kill processes on a new state, and return what differs from a state on which the same lines ran in peace.

    Without kills, the lines only run at the same time. The lines of `before` ran before, one after the other.
    """
    for name in ("peace", "war"):
        (folder / name / "files").mkdir(parents=True)
        new_state_file(folder / name / "files")
    peace, war = folder / "peace" / "files", folder / "war" / "files"
    first = read_inventory(peace / "world.db")
    for place, line in [
        *((place, line) for place in (peace, war) for line in before),
        *((peace, one) for one in lines),
    ]:
        if status := run_forked(run_killed, place, line, 0, "max"):
            return [f"{' '.join(line)}: ended with {status} in peace"]
    supervisor = Supervisor(folder / "war", lines, kills, seed, own_program)
    problems = supervisor.run()
    if supervisor.killed < kills:
        problems.append(f"harness: {supervisor.killed} processes were killed")
    # At --speed max, one process has the state alone: nobody who was killed still holds it.
    for line in dict.fromkeys(lines) if kills else ():
        if status := run_forked(run_killed, war, line, 0, "max"):
            problems.append(f"{' '.join(line)}: run again, ended with {status}")
    found = read_inventory(war / "world.db")
    problems += [f"no tags: {key}" for key in untagged(found, first)]
    return [*problems, *differences(read_inventory(peace / "world.db"), found), *damaged_databases(war)]


def main() -> int:
    """Kill processes, and say what differed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30, help="set how many processes are killed")
    parser.add_argument("--seed", type=int, default=0, help="set the seed of the points")
    parser.add_argument("--line", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parsed, _ = parser.parse_known_args()
    if parsed.line:
        kill_at, folder, *words = parsed.line
        run_forked_line(Path(folder) / "files", words, int(kill_at))
    with tempfile.TemporaryDirectory() as folder:
        problems = kill_and_compare(Path(folder), LINES, parsed.kills, parsed.seed, own_program=True)
    print(*problems, sep="\n", end="\n" if problems else "")  # noqa: T201 - a report
    print(f"{parsed.kills} processes killed, {len(problems)} differences")  # noqa: T201 - a report
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
