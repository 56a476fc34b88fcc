"""Runs PowerShell scripts on simulated time, as far as they generalize Windows: what they print and change.

Statements are recognized one by one; PowerShell as a language is not interpreted. A cmdlet that is not modelled is
refused; a program that no VM has is reported as PowerShell does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest.powershell_lists import run_list_script
from batchimg_magics.emulator.compute.guest.scripts import (
    POWER_OFF_S,
    SYSPREP_S,
    AgentStoppedError,
    ScriptEndsError,
    ScriptRun,
    UnsupportedLineError,
)
from batchimg_magics.emulator.compute.guest.system import GuestChange
from batchimg_magics.emulator.compute.guest.windows_session import AGENTS_AFTER_S, WindowsSession
from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.machine import Machine

evidence = Evidence("Scripts on Windows VMs")
evidence.rule(
    "Sysprep fails, and neither generalizes nor stops the VM, while an agent is not running yet.",
    "Packer's documents say to wait for the agents; what happens otherwise is not documented",
)
evidence.rule(
    "A script that waits for sysprep does not end, whether sysprep ends with /quit or with /shutdown.",
    "the agent that runs the script is taken down; with /shutdown the VM stops all the same",
)
#: The state of sysprep in the registry. Source: Microsoft's documents on image states.
_STATES = {True: "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE", False: "IMAGE_STATE_COMPLETE"}
_SYSPREP = re.compile(r"\bsysprep(?:\.exe)?\b", re.IGNORECASE)
_IMAGE_STATE = re.compile(r"\(?\s*Get-ItemProperty\b.*\\Setup\\State\b.*", re.IGNORECASE)
_AGENT = re.compile(r"\b(RdAgent|WindowsAzureGuestAgent|WindowsAzureTelemetryService)\b", re.IGNORECASE)
_NESTED = re.compile(
    r"(?:^|[\\/])(?:powershell|pwsh)(?:\.exe)?\b.*?[-/]c(?:ommand)?\s+(.*)$", re.IGNORECASE | re.DOTALL
)
_CMD = re.compile(r"(?:^|[\\/])cmd(?:\.exe)?\b.*?/c\s+(.*)$", re.IGNORECASE | re.DOTALL)
_HARMLESS = re.compile(
    r"(?:Remove-Item|New-Item|Set-Location|cd|Set-ExecutionPolicy|Import-Module|Clear-EventLog|Out-Null|Set-StrictMode"
    r"|Clear-History|Unregister-ScheduledTask|Disable-BitLocker|wevtutil|param|ipconfig|Stop-Process)\b.*|exit(?:\s+0)?|return",
    re.IGNORECASE | re.DOTALL,
)
_PRINT = re.compile(r"(?:echo|Write-Output|Write-Host)\s+(.*)", re.IGNORECASE | re.DOTALL)
#: The command of a task, up to the next parameter of the task; the command may have such parameters too, in quotes.
_TASK_COMMAND = re.compile(
    r"(?:'[^']*'|\"[^\"]*\"|(?!\)?\s+-(?:Trigger|User|RunLevel|Principal|Settings|TaskName|Description|Force|"
    r"WorkingDirectory)\b)[^'\"])*",
    re.IGNORECASE,
)
_VERB_NOUN = re.compile(r"[A-Za-z]+-[A-Za-z]\w+")


# -- statements --------------------------------------------------------------------------------------------------


def _statements(text: str) -> list[str]:
    """Return the statements of a script: at line ends and semicolons outside of quotes, parentheses and braces."""
    text = re.sub(r"`\r?\n", " ", text.replace("\r\n", "\n"))
    found, current, quote, depth = [], "", "", 0
    for one in text + "\n":
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one in "({":
            depth += 1
        elif one in ")}":
            depth -= 1
        elif one in "\n;" and depth <= 0 and not current.rstrip().endswith("|"):
            found.append(current.strip())
            current = ""
            continue
        current += one
    if quote or depth > 0:
        raise UnsupportedLineError(text.strip())
    return [one for one in found if one and not one.startswith("#")]


def _run(session: WindowsSession, text: str) -> None:
    for statement in _statements(text):
        _run_statement(session, statement)


def _run_statement(session: WindowsSession, statement: str) -> None:
    for pattern, work in _FORMS:
        match = pattern.fullmatch(statement)
        if match is not None:
            work(session, match)
            return
    if _SYSPREP.search(statement):
        _sysprep(session, statement)
    elif _is_harmless(statement):
        return
    else:
        _run_unknown(session, statement)


def _is_harmless(statement: str) -> bool:
    return all(_HARMLESS.fullmatch(part.strip()) for part in statement.split("|"))


def _run_unknown(session: WindowsSession, statement: str) -> None:
    name = re.split(r"[\s|(]", statement.lstrip("&. "), maxsplit=1)[0].strip("'\"")
    standard = re.fullmatch(
        r"[\w.-]+\.(?:exe|cmd|ps1|msc)|choco|winget|net|sc|reg|dism|msiexec|netsh|python3?|py|pip3?",
        name,
        re.IGNORECASE,
    )
    if not name or _VERB_NOUN.fullmatch(name) or standard or not re.fullmatch(r"[\w.\\:-]+", name) or name in _KEYWORDS:
        raise UnsupportedLineError(statement)
    session.fail(
        f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable "
        "program. Check the spelling of the name, or if a path was included, verify that the path is correct and try "
        "again."
    )


_KEYWORDS = frozenset({"for", "foreach", "do", "switch", "try", "function", "trap", "while", "if", "throw"})


def _assign(session: WindowsSession, match: re.Match[str]) -> None:
    name, value = match["name"].lower(), match["value"].strip()
    if name == "erroractionpreference":
        session.stops_on_error = value.strip("'\"").lower() == "stop"
    elif re.match(
        r"(?:Get-ItemProperty|Get-Service|Get-Date|New-ScheduledTask|Register-ScheduledTask|\(|\[|@|\$|['\"])",
        value,
        re.IGNORECASE,
    ):
        if value.lower().startswith("register-scheduledtask"):
            _run_statement(session, value)
        session.variables[name] = _filled(session, value)
    elif re.match(r"(?:Start-Process)\b", value, re.IGNORECASE):
        _run_statement(session, value)
    elif re.fullmatch(r"-?\d+", value):
        session.variables[name] = value
    else:
        raise UnsupportedLineError(match[0])


def _filled(session: WindowsSession, text: str) -> str:
    """Return a text with the variables in it replaced, as far as they are known."""
    return re.sub(r"\$(\w+)", lambda match: session.variables.get(match[1].lower(), match[0]), text)


def _print(session: WindowsSession, match: re.Match[str]) -> None:
    text = match[1].strip()
    if _IMAGE_STATE.search(text):
        session.stdout.append(_STATES[session.deprovisioned()])
        return
    text = _filled(session, text)
    if "$(" in text or ("$" in text and not text.startswith("'")):
        raise UnsupportedLineError(match[0])
    session.stdout.append(re.sub(r"^(['\"])(.*)\1$", r"\2", text, flags=re.DOTALL))


def _image_state(session: WindowsSession, _: re.Match[str]) -> None:
    session.stdout.append(_STATES[session.deprovisioned()])


def _sleep(session: WindowsSession, match: re.Match[str]) -> None:
    factor = 0.001 if (match["unit"] or "").lower().startswith("m") else 1.0
    session.seconds += float(match["count"]) * factor


def _wait_while(session: WindowsSession, match: re.Match[str]) -> None:
    """Wait as a loop does: for the agents, or for sysprep."""
    condition = match["condition"]
    if _AGENT.search(condition):
        ready = session.machine.booted + max(AGENTS_AFTER_S.values()) - session.machine.now
        session.seconds = max(session.seconds, ready)
    elif not (session.deprovisioned() or _IMAGE_STATE.search(match[0])):
        raise UnsupportedLineError(match[0])


def _if(_: WindowsSession, match: re.Match[str]) -> None:
    """Run the body of a condition about a file that may exist: only if deleting it has no effect."""
    if not re.match(r"\s*(?:-not\s*\(?\s*)?Test-Path\b", match["condition"], re.IGNORECASE) or not all(
        _is_harmless(one) for one in _statements(match["body"])
    ):
        raise UnsupportedLineError(match[0])


def _services(session: WindowsSession, match: re.Match[str]) -> None:
    names = [one.group(0) for one in _AGENT.finditer(match[0])]
    for name in names:
        after = AGENTS_AFTER_S.get(name.lower(), 0.0)
        session.stdout.append("Running" if session.now() - session.machine.booted >= after else "Stopped")


def _shut_down(session: WindowsSession, match: re.Match[str]) -> None:
    delay = re.search(r"[/-]t\s+(\d+)", match[0], re.IGNORECASE)
    restarts = re.search(r"[/-]r\b|Restart-Computer", match[0], re.IGNORECASE)
    if re.search(r"[/-]a\b", match[0]) and "shutdown" in match[0].lower():
        raise UnsupportedLineError(match[0])
    default = 30.0 if "shutdown" in match[0].lower() else 0.0
    delay_s = float(delay[1]) if delay else default
    at = session.seconds + delay_s
    session.changes.append(GuestChange(at, {"agent": False}))
    if restarts:
        session.changes.append(GuestChange(at + POWER_OFF_S, {"agent": True, "deprovisioned": False}))
    else:
        session.changes.append(GuestChange(at + POWER_OFF_S, stops=True))
    if not delay_s:
        _end_unless_detached(session)


def _end_unless_detached(session: WindowsSession) -> None:
    if not session.detached:
        raise AgentStoppedError
    raise ScriptEndsError(0)


def _list_in_block(session: WindowsSession, match: re.Match[str]) -> None:
    """Run a block of its own that lists what is installed: its variables and its preferences end with it."""
    machine = msgspec.structs.replace(session.machine, now=session.now())
    run = run_list_script(machine, match["body"])
    session.stdout += [run.stdout] if run.stdout else []
    session.changes += [msgspec.structs.replace(one, at=session.seconds + one.at) for one in run.changes]
    session.seconds += run.seconds
    if run.stderr:
        session.fail(run.stderr)
    if run.exit_code:
        raise ScriptEndsError(run.exit_code)


# -- processes and tasks -----------------------------------------------------------------------------------------


def _start_process(session: WindowsSession, match: re.Match[str]) -> None:
    """Start a process, and wait for it with ``-Wait`` only."""
    text = _filled(session, match[1])
    if re.search(r"-Wait\b(?!:\s*\$false)", text, re.IGNORECASE):
        _run_program(session, text)
    else:
        session.detach(lambda child: _run_program(child, text))


def _run_program(session: WindowsSession, text: str) -> None:
    """Run the program in the arguments of Start-Process or of a task."""
    bare = re.sub(
        r"(?:^|\s)-(?:FilePath|ArgumentList|Args|Execute|Argument|Wait|PassThru|NoNewWindow|WindowStyle\s+\w+|Verb\s+\w+)\b",
        " ",
        text,
        flags=re.IGNORECASE,
    ).strip()
    bare = re.sub(r"\s+", " ", bare.replace("\n", " "))
    loose = re.sub(r"(?<![\w\\.])['\"]|['\"](?![\w\\$])|,", " ", bare)
    nested = _NESTED.search(loose) or _CMD.search(loose)
    if nested is not None:
        _run(session, re.sub(r"^&?\s*\{(.*)\}$", r"\1", nested[1].strip(), flags=re.DOTALL).replace("&&", ";"))
    else:
        _run_statement(session, loose.strip())


def _register_task(session: WindowsSession, match: re.Match[str]) -> None:
    """Register a task; its trigger may be a time, else it has to be started."""
    text = _filled(session, _filled(session, match[0]))
    name = re.search(r"-TaskName\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))", text, re.IGNORECASE)
    execute = re.search(r"-Execute\s+(.*)", text, re.IGNORECASE | re.DOTALL)
    if execute is None:
        raise UnsupportedLineError(match[0])
    found = _TASK_COMMAND.match(execute[1])
    command = execute[1] if found is None else found[0]
    named = next((one for one in name.groups() if one), "task") if name else "task"
    _add_task(session, named, command.rstrip(") "), _trigger_delay_s(session, text))


def _trigger_delay_s(session: WindowsSession, text: str) -> float | None:
    """Return how long after now the trigger of a task is; None without one."""
    relative = re.search(r"Add(Seconds|Minutes|Hours)\(\s*(\d+)\s*\)", text, re.IGNORECASE)
    if relative is not None:
        return float(relative[2]) * {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0}[relative[1].lower()]
    clock = re.search(r"(?:/st|-At)\s+['\"]?(\d{1,2}):(\d\d)(?::(\d\d))?", text, re.IGNORECASE)
    if clock is not None:
        today = datetime.fromtimestamp(session.now(), UTC).replace(microsecond=0)
        at = today.replace(hour=int(clock[1]) % 24, minute=int(clock[2]), second=int(clock[3] or 0))
        return (at.timestamp() - session.now()) % 86_400.0
    return 0.0 if re.search(r"-At\s+\(?\s*Get-Date\s*\)?", text, re.IGNORECASE) else None


def _add_task(session: WindowsSession, name: str, command: str, delay_s: float | None) -> None:
    session.tasks[name.lower()] = command
    if delay_s is not None:
        session.detach(lambda child: _run_program(child, command), delay_s)
    session.stdout.append(name)


def _start_task(session: WindowsSession, name: str) -> None:
    name = name.strip("'\" ").lower()
    command = session.tasks.get(name)
    if command is None:
        session.fail(f"ERROR: The system cannot find the task {name}.")
    else:
        session.detach(lambda child: _run_program(child, command))


def _schtasks(session: WindowsSession, match: re.Match[str]) -> None:
    text = _filled(session, match[0])
    name = re.search(r"/tn\s+['\"]?([\w .\\-]+?)['\"]?(?=\s+/|$)", text, re.IGNORECASE)
    if re.search(r"/run\b", text, re.IGNORECASE) and name is not None:
        _start_task(session, name[1])
        return
    command = re.search(r"/tr\s+(?:\"(.*?)\"|'(.*?)'|(\S+))(?=\s+/\w+\s|\s+/\w+$|$)", text, re.IGNORECASE | re.DOTALL)
    if name is None or command is None or not re.search(r"/create\b", text, re.IGNORECASE):
        raise UnsupportedLineError(match[0])
    _add_task(session, name[1], next(one for one in command.groups() if one), _trigger_delay_s(session, text))


def _sysprep(session: WindowsSession, text: str) -> None:
    """Generalize Windows; afterwards the VM stops, starts again, or goes on."""
    flags = {one.lower() for one in re.findall(r"[/-](\w+)", text)}
    if "generalize" not in flags or not session.agents_run():
        session.seconds += 1.0
        session.failed = True
        return
    session.seconds += SYSPREP_S
    session.changes.append(GuestChange(session.seconds, {"deprovisioned": True, "agent": False}))
    if "shutdown" in flags:
        session.changes.append(GuestChange(session.seconds + POWER_OFF_S, stops=True))
        _end_unless_detached(session)
    if "reboot" in flags:
        session.changes.append(GuestChange(session.seconds + POWER_OFF_S, {"agent": True, "deprovisioned": False}))
        _end_unless_detached(session)
    if not session.detached:
        raise AgentStoppedError


_FORMS: tuple[tuple[re.Pattern[str], Callable[[WindowsSession, re.Match[str]], None]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), work)
    for pattern, work in (
        (r"\$(?:global:|script:)?(?P<name>\w+)\s*=\s*(?P<value>.*)", _assign),
        (r"&\s*\{(?P<body>.*)\}", _list_in_block),
        (_PRINT.pattern, _print),
        (_IMAGE_STATE.pattern, _image_state),
        (r"Start-Sleep\s+(?:-(?P<unit>s|sec|seconds|m|milliseconds)\s+)?(?P<count>\d+)", _sleep),
        (r"(?:while|do\s*\{.*\}\s*(?:while|until))\s*\((?P<condition>.*?)\)\s*(?:\{.*\})?", _wait_while),
        (r"if\s*\((?P<condition>.*?)\)\s*\{(?P<body>.*)\}", _if),
        (r"\(?\s*Get-Service\b.*", _services),
        (r"(?:&\s*)?Start-Process\s+(.*)", _start_process),
        (
            r"(?:Start-ScheduledTask)\s+(?:-TaskName\s+)?(?P<name>.*)",
            lambda session, match: _start_task(session, match["name"]),
        ),
        (r"Register-ScheduledTask\b.*", _register_task),
        (r"(?:&\s*)?schtasks(?:\.exe)?\b.*", _schtasks),
        (r"(?:&\s*)?(?:shutdown(?:\.exe)?\s+.*|Stop-Computer\b.*|Restart-Computer\b.*)", _shut_down),
    )
)


def run_powershell_script(machine: Machine, text: str) -> ScriptRun:
    """Return the course of a PowerShell script.

    Raises
    ------
    UnsupportedLineError
        The emulator does not model one of its statements.
    """
    session = WindowsSession(machine)
    code = 0
    try:
        _run(session, text)
    except ScriptEndsError as end:
        code = end.code
    except AgentStoppedError:
        session.seconds = NEVER
    code = code or int(session.failed)
    out, err = "\n".join(session.stdout), "\n".join(session.stderr)
    return ScriptRun(out, err, code, session.seconds, session.changes)
