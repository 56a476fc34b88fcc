"""Start tasks in the shell of a node: what they print, and the files that they write.

A node has the files and packages of its image. What nothing of a node decides is computed once for all nodes.
"""

from __future__ import annotations

import base64
import functools
import re
import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.batch.fleet.commands import command_result
from batchimg_magics.emulator.batch.model import pool_images
from batchimg_magics.emulator.catalog.package_lists import list_of_image
from batchimg_magics.emulator.compute.guest.machine import Machine
from batchimg_magics.emulator.compute.guest.packages import PackageSet
from batchimg_magics.emulator.compute.guest.powershell_lists import run_list_script
from batchimg_magics.emulator.compute.guest.programs import PROGRAMS
from batchimg_magics.emulator.compute.guest.script_runs import run_shell_script
from batchimg_magics.emulator.compute.guest.scripts import ScriptRun, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.system import GuestState
from batchimg_magics.emulator.compute.model import bootable_images, guest_contents
from batchimg_magics.emulator.http.dates import TICKS_AT_1970
from batchimg_magics.emulator.world.clock import TICKS_PER_SECOND
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Start tasks")
evidence.rule(
    "A program of a start task that is not modelled succeeds after its time, and prints nothing.",
    "the emulator executes no programs; what the image contains beside packages and written files is not known",
)
_ROOT, _WINDOWS_ROOT = "/mnt/batch/tasks", "D:\\batch\\tasks"
_FOLDERS = ("applications", "fsmounts", "shared", "startup", "startup/wd", "workitems")
_OPERATORS = re.compile(r"[;|&<>\n`$]")
_SHELL = re.compile(r"\s*(?:\S*/)?(?:ba|da|z)?sh\s+-")
#: PowerShell with a command, which may be encoded.
_POWERSHELL = re.compile(
    r"\s*(?P<cmd>cmd(?:\.exe)?\s+/c\s+\"?)?powershell(?:\.exe)?\s.*?-(?P<option>command|c|encodedcommand|enc|e)\s+(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
#: Two times, years apart: packages in the repositories differ, and so does every part of a date.
_ANY_TIME, _OTHER_TIME = 1_751_360_461.25, 1_836_113_887.75
#: Variables that decide how every start task runs, and programs that list all variables.
_ALWAYS = frozenset({"AZ_BATCH_NODE_ID", "HOME", "USER"})
_LISTS_VARIABLES = re.compile(
    r"\b(?:env|printenv|declare|set|gci|dir)\b|export -p|/proc/|environ|get-childitem|base64|powershell[^\n]*\s-e",
    re.IGNORECASE,
)
#: What differs from node to node.
_OF_NODE = re.compile(r"NODE_ID|hostname|HOSTNAME")


class StartTaskText(msgspec.Struct, frozen=True):
    """What a start task did, by its text.

    Parameters
    ----------
    seconds, exit_code, stdout, stderr
        How long it took, how it ended, and what it printed.
    files
        The files that it wrote: (path below the root of the node's tasks, text) pairs; a folder ends with ``/``.
    whole
        Whether every program of it is modelled.
    """

    seconds: float
    exit_code: int
    stdout: str
    stderr: str
    files: tuple[tuple[str, str], ...]
    whole: bool


def run_start_task(
    store: Store, now: float, pool: Pool, task: dict[str, Any], program_s: float, node: str = ""
) -> StartTaskText | None:
    """Return what the start task of a pool does on a node; None if the emulator cannot tell.

    Parameters
    ----------
    store, now, pool, task
        The emulator state, the simulated time, the pool and its start task.
    program_s
        The duration of a program that is not modelled.
    node
        The id of a node, if it matters.
    """
    command = str(task["commandLine"])
    windows = _POWERSHELL.match(command)
    if windows is None and ("/home/" in command or (_OPERATORS.search(command) and not _SHELL.match(command))):
        return None
    content = _content(store, now, pool)
    if content is None:
        return None
    base, guest, homes = content
    if base.startswith("windows") is not bool(windows):
        return None
    settings = tuple(
        (str(one.get("name")), str(one.get("value") or "")) for one in task.get("environmentSettings") or []
    )
    own = _variables(pool, node if _OF_NODE.search(command) else "")
    texts = "\n".join([command, *(value for _, value in settings)])
    given = (
        command,
        msgspec.json.encode(guest.get("packages") or {"base": base}).decode(),
        (*guest_contents.files_of(store, guest).items(), *_data_disks(store, now, pool)),
        homes,
        # Pools whose scripts do not use their names do the same.
        (*(one for one in own if _uses(texts, one[0])), *settings),
        program_s,
    )
    created = (pool.state.created - TICKS_AT_1970) / TICKS_PER_SECOND
    return _run(*given, created if _depends_on_time(*given) else _ANY_TIME)


def _content(store: Store, now: float, pool: Pool) -> tuple[str, dict[str, Any], tuple[str, ...]] | None:
    """Return the list of packages, the hidden facts and the homes of a pool's image; None without an image."""
    image_id = pool_images.image_id_of(pool)
    if image_id is None:
        reference = pool_images.reference_of(pool)
        words = [str(reference.get(name) or "") for name in ("publisher", "offer", "sku")]
        named = "windows" in f"{words[0]}/{words[1]}".lower()
        return (list_of_image(words[1], words[2], "Windows" if named else "Linux"), {}, ()) if reference else None
    account = store.get(pool.key.rpartition("/pools/")[0])
    region = str(account.doc["location"]) if account is not None else ""
    image = bootable_images.resolve_image(store, now, image_id, region)
    if isinstance(image, bootable_images.BootableImage):
        known, os_type, homes = image.content, image.os_type, tuple(sorted(image.homes or ()))
    else:  # its nodes have their disks all the same
        item = store.get(image_id)
        known = (item.hidden.get("guest") or {}) if item is not None else {}
        os_type, homes = "Linux", tuple(known.get("homes") or ())
    return list_of_image("", "", os_type), known, homes


def _data_disks(store: Store, now: float, pool: Pool) -> list[tuple[str, str]]:
    """Return the names of the data disks of a node of Linux: those of the pool and of its image."""
    machine = pool.doc.get("virtualMachineConfiguration") or {}
    luns = {int(one["lun"]) for one in machine.get("dataDisks") or []}
    account, image_id = store.get(pool.key.rpartition("/pools/")[0]), pool_images.image_id_of(pool)
    if account is not None and image_id is not None:
        image = bootable_images.resolve_image(store, now, image_id, str(account.doc["location"]))
        luns |= {lun for lun, _ in image.data_disks} if isinstance(image, bootable_images.BootableImage) else set()
    return [(f"/dev/disk/azure/scsi1/lun{lun}", "") for lun in sorted(luns)]


def _variables(pool: Pool, node: str) -> tuple[tuple[str, str], ...]:
    """Return the variables that Batch sets for a start task. Source: Microsoft's page on environment variables."""
    account = pool.key.rpartition("/pools/")[0].rpartition("/")[2]
    folders = {
        "AZ_BATCH_NODE_ROOT_DIR": "",
        "AZ_BATCH_NODE_SHARED_DIR": "/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": "/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": "/startup/wd",
        "AZ_BATCH_TASK_DIR": "/startup",
        "AZ_BATCH_TASK_WORKING_DIR": "/startup/wd",
    }
    named = {"AZ_BATCH_ACCOUNT_NAME": account, "AZ_BATCH_POOL_ID": pool.name, "AZ_BATCH_NODE_ID": node or "tvmps_0_d"}
    found = named | {name: f"{_ROOT}{below}" for name, below in folders.items()}
    return tuple((found | {"HOME": f"{_ROOT}/startup/wd", "USER": "_azbatch"}).items())


@functools.lru_cache(maxsize=1024)
def _uses(texts: str, name: str) -> bool:
    """Tell whether a script can see a variable of Batch."""
    return name in _ALWAYS or name in texts or _LISTS_VARIABLES.search(texts) is not None


@functools.lru_cache(maxsize=256)
def _depends_on_time(*given: Any) -> bool:
    """Tell whether a start task does something else at another time, for example since it prints the date."""
    return _run(*given, _ANY_TIME) != _run(*given, _OTHER_TIME)


@functools.lru_cache(maxsize=256)
def _run(
    command: str,
    packages: str,
    files: tuple[tuple[str, str], ...],
    homes: tuple[str, ...],
    variables: tuple[tuple[str, str], ...],
    program_s: float,
    now: float,
) -> StartTaskText | None:
    if (windows := _POWERSHELL.match(command)) is not None:
        return _run_windows(windows, packages, files, dict(variables), now, program_s)
    environment = dict(variables)
    texts = dict(files) | {f"{_ROOT}/{name}/": "" for name in _FOLDERS}
    machine = Machine(
        environment["AZ_BATCH_NODE_ID"][-20:],
        ("ubuntu", "22.04"),
        GuestState(homes=homes),
        now,
        now,
        PackageSet.of_facts(msgspec.json.decode(packages), "ubuntu-22.04"),
        texts,
        environment=environment,
        program_s=program_s,
    )
    try:
        line = " ".join(shlex.quote(word) for word in shlex.split(command))
        run = run_shell_script(machine, PROGRAMS, f"cd {_ROOT}/startup/wd\n{line}", [])
    except (UnsupportedLineError, ValueError):
        return None
    return None if run.hangs else _told(run)


def _run_windows(
    match: re.Match[str],
    packages: str,
    files: tuple[tuple[str, str], ...],
    variables: dict[str, str],
    now: float,
    program_s: float,
) -> StartTaskText | None:
    """Run the command of PowerShell on a Windows node."""
    environment = {name: _on_windows(value) for name, value in variables.items()}
    texts = dict(files) | {_on_windows(f"{_ROOT}/{name}/"): "" for name in _FOLDERS}
    known = PackageSet.of_facts(msgspec.json.decode(packages), "windows+windows-pip")
    name = environment["AZ_BATCH_NODE_ID"][-15:]
    machine = Machine(name, ("windows", ""), GuestState("Windows"), now, now, known, texts, environment=environment)
    text, rest = match["text"].strip(), ""
    if match["cmd"] and match["option"].lower().startswith("c"):
        text, _, rest = (part.strip() for part in text.partition(" & "))  # cmd runs what follows, whatever comes before
    try:
        if match["option"].lower().startswith("e"):
            text = base64.b64decode(text.strip("\"'")).decode("utf-16-le")
        elif text[:1] == text[-1:] == '"':
            text = text[1:-1].replace('\\"', '"')
        run = run_list_script(machine, text)
    except (UnsupportedLineError, ValueError):
        return None
    run.exit_code = run.exit_code or int(bool(run.stderr))
    if rest:
        after = command_result("cmd /c " + rest.removesuffix('"'), program_s)
        run.seconds, run.exit_code, run.unmodelled = run.seconds + after.seconds, after.exit_code, [rest]
    run.files = {path.replace(_WINDOWS_ROOT, _ROOT).replace("\\", "/"): text for path, text in run.files.items()}
    return _told(run)


def _on_windows(path: str) -> str:
    return path.replace(_ROOT, _WINDOWS_ROOT).replace("/", "\\") if path.startswith(_ROOT) else path


def _told(run: ScriptRun) -> StartTaskText:
    top = f"{_ROOT}/"
    written = {path.removeprefix(top): text for path, text in run.files.items() if path.startswith(top)}
    folders = {f"{name}/" for name in _FOLDERS}
    files = tuple(
        sorted((path, text) for path, text in written.items() if path not in folders or path == "startup/wd/")
    )
    return StartTaskText(run.seconds, run.exit_code, run.stdout, run.stderr, files, not run.unmodelled)
