"""Generalize the operating system inside a VM: remove host name, keys and accounts with waagent or sysprep.

A run-command only schedules it (see `deprovision_scripts`), and the output of the run-command may never come back. The
proof is that the VM stops by itself: it is powered off after the last command that succeeded. Nodes of an image that is
not generalized are unusable and are billed.

Before that, the same run-command writes the list of packages into the image. What it prints about it is kept in a
tag of the VM at once: the script cannot be sent again when the VM is generalized. An image is made without it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, tags
from batchimg_magics.core.azure.conflicts import is_unclear
from batchimg_magics.core.azure.polling import PollPace, PollResult
from batchimg_magics.core.base.package_scripts import ListReport, read_report
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.images import deprovision_scripts as scripts
from batchimg_magics.errors import BatchImgError, ConflictError, ProvisioningError, ServiceError, WaitTimeoutError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

#: After a run-command that failed in Azure, its script may have run: so many seconds are waited for the VM to stop.
_GRACE_S = 180.0
#: How often the script is sent again where no answer arrives.
_MAX_LOST_ANSWERS = 5
_POWER_PACE = PollPace(1 / 12, 2.0, 10.0)
#: The longest part of a script's output in an error.
_MAX_OUTPUT = 400


@dataclass(frozen=True, slots=True)
class Deprovisioning:
    """How the operating system of a VM is generalized.

    Parameters
    ----------
    vm, os_type
        The id of the VM, and ``Linux`` or ``Windows``.
    image
        The hash of the image that the VM is generalized for.
    keep_users
        Whether user accounts and home directories stay.
    hint
        What to do if it fails.
    """

    vm: ResourceId
    os_type: str
    image: str
    keep_users: bool = False
    hint: str = "run the same command again"

    @property
    def deadline_s(self) -> float:
        """The most seconds until the VM must have stopped."""
        return scripts.DEADLINE_S[self.os_type]

    @property
    def words(self) -> str:
        """What generalizes the operating system, in a few words."""
        return scripts.work_of(self.os_type, keep_users=self.keep_users)

    def is_done(self, found: Json) -> bool:
        """Tell whether a VM's document shows that it is generalized for the image."""
        done = virtual_machines.tag(found, tags.DEPROVISIONED) == self.image
        return virtual_machines.is_generalized(found) or (done and virtual_machines.power(found) != "running")

    def has_stopped(self, found: Json) -> bool:
        """Tell whether a VM's document shows that it was scheduled, and that the VM has stopped by itself.

        A VM that somebody deallocated is no proof: this tool deallocates one on which a step failed.
        """
        scheduled = virtual_machines.tag(found, tags.DEPROVISIONING) == self.image
        return scheduled and virtual_machines.power(found) == "stopped"

    def failure(self, what: str, hint: str = "") -> ProvisioningError:
        """Return the error of a VM that was not generalized."""
        return ProvisioningError(
            f"VM {self.vm.name} was not generalized: {what}",
            resource_id=str(self.vm),
            state="Failed",
            hint=f"{hint}; {self.hint}" if hint else self.hint,
        )


@dataclass(frozen=True, slots=True)
class Deprovisioned:
    """What became of a VM.

    Parameters
    ----------
    new
        Whether this call generalized it.
    packages
        The number of its packages and the SHA-256 of their list, as in the tag ``batchimg-packages``; empty: not known.
    not_read
        The package managers that could not be read, each with the reason, as far as this call knows it.
    """

    new: bool
    packages: str = ""
    not_read: tuple[str, ...] = ()


@dataclass(slots=True)
class _Course:
    """What is seen of the run-command: its operation, its state in words, and what it printed about the packages."""

    operation: polling.Operation | None = None
    command: str = ""
    report: ListReport | None = None


def is_unlisted(found: Json, image: str) -> bool:
    """Tell whether a run ended after the scheduling, and before it kept what its script printed about the packages.

    The VM may stop at any moment, and the script cannot be sent again then.

    Parameters
    ----------
    found, image
        As for `is_unproven`.
    """
    return virtual_machines.tag(found, tags.DEPROVISIONING) == image and not virtual_machines.tag(found, tags.PACKAGES)


def is_unproven(found: Json, image: str) -> bool:
    """Tell whether a VM was deallocated after the scheduling: it is not known what its disks hold.

    Parameters
    ----------
    found
        The VM's document.
    image
        The hash of the image that it is generalized for.
    """
    stopped = virtual_machines.power(found) in ("deallocated", "deallocating")
    return (
        stopped
        and virtual_machines.tag(found, tags.DEPROVISIONED) != image
        and not virtual_machines.is_generalized(found)
    )


async def deprovision(azure: Azure, wanted: Deprovisioning) -> Deprovisioned:
    """Generalize the operating system in a VM unless it is; return what is known of it.

    The same call resumes one that was interrupted: tags of the VM tell that it was scheduled, and that it is done.

    Raises
    ------
    ProvisioningError
        The script failed, or the VM did not stop in time.
    """
    found = await virtual_machines.wait_for_power(azure, wanted.vm)
    known = virtual_machines.tag(found, tags.PACKAGES) or ""
    if wanted.is_done(found):
        return Deprovisioned(new=False, packages=known)
    course = _Course()
    if not wanted.has_stopped(found):
        if not await _tag_as_scheduled(azure, wanted, found):
            known = ""
        await _schedule_and_wait(azure, wanted, course)
    listed = known if course.report is None else course.report.tag
    # A run-command without an end may prevent it: then a run that is interrupted here starts again.
    with contextlib.suppress(ConflictError):
        done = {tags.DEPROVISIONED: wanted.image, tags.DEPROVISIONING: None, tags.PACKAGES: listed or None}
        await virtual_machines.set_tags(azure, wanted.vm, done)
    return Deprovisioned(new=True, packages=listed, not_read=() if course.report is None else course.report.not_read)


async def _tag_as_scheduled(azure: Azure, wanted: Deprovisioning, found: Json) -> bool:
    """Start a VM, and set the tag before the script is sent: a VM with the tag that stops by itself is generalized.

    Return whether a list of packages that its tags tell of is that of this image.
    """
    names = (tags.DEPROVISIONING, tags.DEPROVISIONED, tags.PACKAGES)
    known = {name: virtual_machines.tag(found, name) for name in names}
    is_running = virtual_machines.power(found) == "running"
    is_listed = is_running and known[tags.DEPROVISIONING] == wanted.image
    packages = known[tags.PACKAGES] if is_listed else None
    needed = {tags.DEPROVISIONING: wanted.image, tags.DEPROVISIONED: None, tags.PACKAGES: packages}
    if not is_running:
        if any(known.values()):
            # A VM that is stopped by somebody else must not have the tag.
            await virtual_machines.set_tags(azure, wanted.vm, dict.fromkeys(known))
            known = dict.fromkeys(known)
        await virtual_machines.start(azure, wanted.vm)
    if known != needed:
        await virtual_machines.set_tags(azure, wanted.vm, needed)
    return is_listed


async def _schedule_and_wait(azure: Azure, wanted: Deprovisioning, course: _Course) -> None:
    """Send the script, and wait until the VM has stopped, whatever becomes of the run-command."""
    stopped = asyncio.create_task(_wait_until_stopped(azure, wanted, wanted.deadline_s, course))
    command = asyncio.create_task(_run_script(azure, wanted, course))
    try:
        await asyncio.wait({stopped, command}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not command.done():
            await stopped
            command.cancel()
            await _read_result(azure, wanted, course)
        elif stopped.done() or command.result():
            await stopped
        else:
            await _wait_until_stopped(azure, wanted, _GRACE_S, course)
    finally:
        for task in (stopped, command):
            task.cancel()
        await asyncio.gather(stopped, command, return_exceptions=True)


async def _read_result(azure: Azure, wanted: Deprovisioning, course: _Course) -> None:
    """Ask once more for the result of the run-command when the VM has stopped: the polls may have failed until now."""
    if course.report is not None or course.operation is None:
        return
    last = replace(course.operation, retry_after_s=0.0)
    with contextlib.suppress(BatchImgError):
        output = await polling.wait_for_operation(
            azure, last, what=wanted.vm.name, resource_id=str(wanted.vm), timeout_s=0.0
        )
        course.report = read_report(_printed(output))


async def _wait_until_stopped(azure: Azure, wanted: Deprovisioning, deadline_s: float, course: _Course) -> None:
    async def poll() -> PollResult[str]:
        power = virtual_machines.power(await virtual_machines.read_existing(azure, wanted.vm))
        if power in ("deallocating", "deallocated"):
            raise wanted.failure("somebody deallocated it before it stopped by itself")
        return PollResult(power == "stopped", power)

    try:
        await polling.poll_until(azure, poll, what=f"VM {wanted.vm.name}", timeout_s=deadline_s, pace=_POWER_PACE)
    except WaitTimeoutError as error:
        what = f"it did not stop by itself within {deadline_s / 60:.0f} min"
        what = f"{what}; {course.command}" if course.command else what
        raise wanted.failure(what, _where_to_look(wanted.os_type)) from error


def _where_to_look(os_type: str) -> str:
    if os_type == "Windows":
        return "the logs of sysprep are in C:\\Windows\\System32\\Sysprep\\Panther"
    return "`journalctl -u batchimg-deprovision` and /var/log/waagent.log on the VM have the cause"


# -- the run-command ---------------------------------------------------------------------------------------------


async def _run_script(azure: Azure, wanted: Deprovisioning, course: _Course) -> bool:
    """Send the script and wait for its end; return False where Azure says that the run-command failed.

    Raises
    ------
    ProvisioningError
        The script ran and failed: its output says so, while Azure reports success.
    """
    what = f"run-command on VM {wanted.vm.name}"
    operation = course.operation = await _begin(azure, wanted, course)
    if operation is None:
        return True
    try:
        output = await polling.wait_for_operation(azure, operation, what=what, resource_id=str(wanted.vm))
    except ProvisioningError as error:
        course.command = error.message
        return False
    statuses = list((output or {}).get("value") or [])
    if (problem := _problem(statuses)) is not None:
        raise wanted.failure(f"the script failed: {problem}", _where_to_look(wanted.os_type))
    course.command = f"the run-command returned {'its' if statuses else 'no'} output"
    course.report = read_report(_printed(output))
    if course.report is not None:
        # At once: if this process ends, another one cannot read it again. Without the tag the work goes on.
        with contextlib.suppress(BatchImgError):
            await virtual_machines.set_tags(azure, wanted.vm, {tags.PACKAGES: course.report.tag})
    return True


async def _begin(azure: Azure, wanted: Deprovisioning, course: _Course) -> polling.Operation | None:
    """Send the script as soon as no other run-command runs; None where the VM stops meanwhile."""
    command = scripts.command_of(wanted.os_type)
    script = scripts.script_of(wanted.os_type, keep_users=wanted.keep_users)

    refusals = lost = 0

    async def attempt() -> PollResult[polling.Operation | None]:
        nonlocal refusals, lost
        try:
            operation = await virtual_machines.begin_script(azure, wanted.vm, command, script)
        except ServiceError as error:
            if not isinstance(error, ConflictError):
                if not is_unclear(error) or lost >= _MAX_LOST_ANSWERS:
                    raise
                # Azure may have taken it. The script schedules nothing twice, and Azure runs one at a time.
                lost += 1
                course.command = "the answer to the run-command was lost"
                return PollResult(done=False, value=None)
            if virtual_machines.is_command_in_progress(error):
                # Perhaps of an interrupted run, and without an end: the power state tells what it did.
                course.command = "another run-command is in progress on it"
                return PollResult(done=False, value=None)
            found = await virtual_machines.read_existing(azure, wanted.vm)
            if virtual_machines.power(found) != "running":
                return PollResult(done=True, value=None)
            # The other operation may end between the refusal and the read: a second refusal has another cause.
            refusals += 1
            if virtual_machines.is_idle(found) and refusals > 1:
                raise
            return PollResult(done=False, value=None)
        course.command = "the run-command did not return"
        return PollResult(done=True, value=operation)

    return await polling.poll_until(azure, attempt, what=f"run-command on VM {wanted.vm.name}")


def _printed(output: Json | None) -> str:
    """Return all that a script printed."""
    return "\n".join(str(one.get("message") or "") for one in (output or {}).get("value") or [])


def _problem(statuses: list[Json]) -> str | None:
    """Return what a script that failed printed; None where it succeeded, or where its output was lost."""
    messages = [str(one.get("message") or "") for one in statuses]
    failed = any("succeeded" not in str(one.get("code")).lower() for one in statuses)
    if not failed and (any(scripts.SCHEDULED in one for one in messages) or not any(_text(one) for one in messages)):
        return None
    errors = [_text(one.partition("[stderr]")[2]) for one in messages]
    errors += [_text(one["message"]) for one in statuses if "stderr" in str(one.get("code")).lower()]
    told = " ".join(one for one in errors if one) or " ".join(map(_text, messages)) or "no output"
    return told if len(told) <= _MAX_OUTPUT else f"{told[:_MAX_OUTPUT]}..."


def _text(output: str) -> str:
    """Return a script's output in one line, without the words that Azure adds."""
    for word in ("Enable succeeded:", "Enable failed:", "[stdout]", "[stderr]"):
        output = output.replace(word, " ")
    return " ".join(output.split())
