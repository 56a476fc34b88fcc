"""VM extensions: install, read, change, and remove them.

Source: Microsoft's OpenAPI and documents of VM extensions; the refusals as issue threads quote them.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.extension_types import ExtensionType, find_type
from batchimg_magics.emulator.compute.model import guest_commands, vm_extensions
from batchimg_magics.emulator.compute.model.vm_view import power_state
from batchimg_magics.emulator.compute.routes import virtual_machines
from batchimg_magics.emulator.compute.routes.run_command import os_type_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.scripts import ScriptRun
    from batchimg_magics.emulator.world.store import Item

EXTENSIONS = vm_extensions.EXTENSIONS
#: The types that run a script of their settings.
_SCRIPT_TYPES = frozenset({"customscript", "customscriptextension", "customscriptforlinux"})
#: The properties that install an extension again if they change.
_RERUN = ("settings", "typeHandlerVersion", "forceUpdateTag")
evidence = Evidence("VM extensions")
evidence.rule(
    "Only custom scripts do something in the VM; the other extensions are installed and succeed.",
    "the emulator models the guest for the preparation of images",
)
evidence.rule(
    "A custom script with fileUris is refused with 501; a command line and a script in the settings run.",
    "the emulator downloads nothing",
)
evidence.rule(
    "An extension whose agent is stopped, or has no way out, stays Creating for ever.",
    "the agent reports the state of extensions, as that of run commands",
)

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> BuildResult:
    vm = _ready_machine(call)
    asked = call.body["properties"]
    before = old.doc["properties"] if old is not None else {}
    publisher = bodies.text(asked.get("publisher") or before.get("publisher"), "publisher")
    name = bodies.text(asked.get("type") or before.get("type"), "type")
    kind = _type(call, publisher, name, os_type_of(vm.doc["properties"]))
    version = _version(kind, asked.get("typeHandlerVersion") or before.get("typeHandlerVersion"))
    _refuse_other_handler(call, vm, publisher, name, str(before.get("type", name)))
    settings = bodies.part(asked.get("settings"), "settings")
    protected = bodies.part(asked.get("protectedSettings"), "protectedSettings")
    shown = {one: value for one, value in asked.items() if one not in ("protectedSettings", "instanceView")}
    shown |= {"autoUpgradeMinorVersion": bool(asked.get("autoUpgradeMinorVersion", False))}
    shown |= {"publisher": publisher, "type": name, "typeHandlerVersion": version}
    if (
        old is not None
        and "protectedSettings" not in asked
        and all(before.get(one) == shown.get(one) for one in _RERUN)
    ):
        return BuildResult(shown, {"message": old.hidden.get("message", "")})
    until, error = _course(call, vm, name, settings | protected)
    suppressed = bool(asked.get("suppressFailures"))
    # The secret settings do not stay anywhere: no response shows them.
    facts = {"message": error[1] if error else "Enable succeeded"}
    return BuildResult(shown, facts, seconds=until - call.now, error=None if suppressed else error)


def _ready_machine(call: Call) -> Item:
    """Return the VM of an extension, or refuse one whose agent cannot install anything."""
    vm = assumed_resources.need_parent(call, resources.resource_id(call, virtual_machines.VMS))
    if power_state(vm, call.now) not in ("running", "starting"):
        message = "Cannot modify extensions in the VM when the VM is not running."
        raise Refusal(409, "OperationNotAllowed", message)
    profile = vm.doc["properties"].get("osProfile") or {}
    agent = (profile.get("linuxConfiguration") or profile.get("windowsConfiguration") or {}).get("provisionVMAgent")
    if profile.get("allowExtensionOperations") is False or agent is False:
        message = (
            "This operation cannot be performed when extension operations are disallowed. To allow, please ensure VM "
            "Agent is installed on the VM and the osProfile.allowExtensionOperations property is true."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    return vm


def _type(call: Call, publisher: str, name: str, os_type: str) -> ExtensionType | None:
    kind = find_type(publisher, name)
    if kind is None and not is_open(call.store):
        message = f"The VM extension with publisher '{publisher}' and type '{name}' could not be found."
        raise Refusal(404, "ArtifactNotFound", message)
    if kind is not None and kind.os != os_type:
        message = f"The VM extension '{publisher}.{name}' does not support the OS type '{os_type}' of the VM."
        raise Refusal(409, "OperationNotAllowed", message)
    return kind


def _version(kind: ExtensionType | None, asked: object) -> str:
    """Return the requested version, major and minor number, or refuse one that the publisher does not have."""
    wanted = bodies.text(asked, "typeHandlerVersion")
    if kind is not None and not any(f"{one}.".startswith(f"{wanted}.") for one in kind.versions):
        numbers = wanted.split(".")
        newer = [one for one in kind.versions if one.split(".")[0] == numbers[0]]
        if len(numbers) != 2 or not newer:
            message = (
                f"The version '{wanted}' of the VM extension with publisher '{kind.publisher}' and type '{kind.name}' "
                "could not be found."
            )
            raise Refusal(404, "ArtifactVersionNotFound", message)
    return wanted


def _refuse_other_handler(call: Call, vm: Item, publisher: str, name: str, before: str) -> None:
    """Refuse a second extension of a handler, and another handler in an extension. Source: Compute's own texts."""
    own = resources.resource_id(call, EXTENSIONS).lower()
    if before.lower() != name.lower():
        raise Refusal(409, "PropertyChangeNotAllowed", "Changing property 'type' is not allowed.", target="type")
    for other in vm_extensions.extensions_of(call.store, vm, call.now):
        inner = other.doc["properties"]
        same = str(inner["publisher"]).lower() == publisher.lower() and str(inner["type"]).lower() == name.lower()
        if same and other.key != own:
            message = (
                f"Multiple VMExtensions per handler not supported for OS type '{os_type_of(vm.doc['properties'])}'. "
                f"VMExtension '{call.params['name2']}' with handler '{publisher}.{name}' already added or specified in "
                "input."
            )
            raise Refusal(400, "BadRequest", message)


# -- scripts -----------------------------------------------------------------------------------------------------


def _course(call: Call, vm: Item, name: str, settings: dict[str, Any]) -> tuple[float, tuple[str, str] | None]:
    """Return when an extension is installed, and the error if its script fails."""
    os_type = os_type_of(vm.doc["properties"])
    text = _script(name, settings)
    course = guest_commands.start_command(call, vm, os_type, text, [])
    if course.reported == NEVER:
        return NEVER, None
    return course.reported, _error(call, course.run) if course.run.exit_code else None


def _script(name: str, settings: dict[str, Any]) -> str:
    """Return what an extension runs in the VM; empty for nothing."""
    if name.lower() not in _SCRIPT_TYPES:
        return ""
    if settings.get("fileUris"):
        message = "The emulator runs custom scripts without fileUris only: it downloads nothing."
        raise Refusal(501, "NotImplemented", message)
    if line := settings.get("commandToExecute"):
        return bodies.text(line, "settings.commandToExecute")
    encoded = bodies.text(settings.get("script"), "settings.commandToExecute")
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise bodies.invalid("settings.script", "The value of 'settings.script' is not base64.") from None


def _error(call: Call, run: ScriptRun) -> tuple[str, str]:
    name = call.params["name2"]
    message = (
        f"VM has reported a failure when processing extension '{name}'. Error message: 'Enable failed: failed to "
        f"execute command: command terminated with exit status={run.exit_code}\n[stdout]\n{run.stdout[-1024:]}\n"
        f"[stderr]\n{run.stderr[-1024:]}'."
    )
    return "VMExtensionProvisioningError", message


# -- responses ---------------------------------------------------------------------------------------------------


def _show(call: Call, item: Item) -> dict[str, Any]:
    document = resources.document_at(item, call.now) or {}
    if "instanceview" not in call.query.get("$expand", "").lower():
        return document
    view = vm_extensions.extension_view(item, call.now)
    return document | {"properties": document["properties"] | {"instanceView": view}}


def _refuse_delete(call: Call, _: Item) -> None:
    _ready_machine(call)


_KIND = ResourceType(
    EXTENSIONS, _build, "vm extension", "vm extension", by_subscription=False, show=_show, refuse_delete=_refuse_delete
)
resource_types.register_writes(routes, _KIND)


@routes.on("GET", resources.path_of(EXTENSIONS))
def get_extension(call: Call) -> Reply:
    """Answer with one extension, with its instance view if requested."""
    return Reply(200, _show(call, assumed_resources.get_requested(call, EXTENSIONS)))


@routes.on("GET", resources.path_of(EXTENSIONS, collection=True))
def list_extensions(call: Call) -> Reply:
    """Answer with the extensions of a VM."""
    assumed_resources.need_parent(call, resources.resource_id(call, virtual_machines.VMS))
    return Reply(200, {"value": [_show(call, item) for item in resources.list_items(call, EXTENSIONS)]})
