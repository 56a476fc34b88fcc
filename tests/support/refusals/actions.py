"""Actions, and requests for missing resources, that Azure refuses."""

from __future__ import annotations

from typing import Any, TypeAlias

from tests.support.compute_bodies import located

#: A subscription that nothing exists in.
ELSEWHERE = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/x/providers/Microsoft.Compute"
Row: TypeAlias = "tuple[str, str, str, Any, int, str]"


def row(name: str, method: str, path: str, body: Any, status: int, code: str = "") -> Row:
    return name, method, path, body, status, code


vm, disk = "virtualMachines/desk-vm", "disks/free"
idle = "virtualMachines/prep-vm"
script = {"commandId": "RunShellScript", "script": ["true"]}
#: Type -> a resource of it that exists, and a name that none has.
RESOURCES = {
    "disks": ("free", "none"),
    "snapshots": ("os", "none"),
    "images": ("plain", "none"),
    "galleries": ("lab", "none"),
    "galleries/lab/images": ("tools", "none"),
    "galleries/lab/images/tools/versions": ("1.0.0", "9.9.9"),
    "virtualMachines": ("desk-vm", "none"),
}
#: A name, the method, the path, the body, the status, and the code if it is known.
ACTIONS: list[Row] = [
    *(
        row(f"{action} of nothing", "POST", f"virtualMachines/none/{action}", None, 404, "ResourceNotFound")
        for action in ("start", "powerOff", "deallocate", "restart", "generalize")
    ),
    row("power off deallocated", "POST", f"{idle}/powerOff", None, 409, "OperationNotAllowed"),
    row("restart deallocated", "POST", f"{idle}/restart", None, 409, "OperationNotAllowed"),
    row("start generalized", "POST", f"{idle}/start", None, 409, "OperationNotAllowed"),
    row("generalize running", "POST", f"{vm}/generalize", None, 409, "OperationNotAllowed"),
    row(
        "capture not generalized",
        "POST",
        f"{vm}/capture",
        {"vhdPrefix": "v", "destinationContainerName": "c", "overwriteVhds": True},
        409,
    ),
    row(
        "capture without prefix",
        "POST",
        f"{idle}/capture",
        {"destinationContainerName": "c", "overwriteVhds": True},
        400,
    ),
    row(
        "capture without overwrite", "POST", f"{idle}/capture", {"vhdPrefix": "v", "destinationContainerName": "c"}, 400
    ),
    row("command on deallocated", "POST", f"{idle}/runCommand", script, 409, "OperationNotAllowed"),
    row("command unknown", "POST", f"{vm}/runCommand", script | {"commandId": "Dance"}, 400),
    row("command for windows", "POST", f"{vm}/runCommand", script | {"commandId": "RunPowerShellScript"}, 400),
    row("command without id", "POST", f"{vm}/runCommand", {"script": ["true"]}, 400),
    row("command without script", "POST", f"{vm}/runCommand", {"commandId": "RunShellScript"}, 400),
    row("command on nothing", "POST", "virtualMachines/none/runCommand", script, 404, "ResourceNotFound"),
    row("managed command without source", "PUT", f"{vm}/runCommands/x", located({}), 400),
    row("managed command on deallocated", "PUT", f"{idle}/runCommands/x", located({"source": {"script": "true"}}), 409),
    row(
        "managed command too long",
        "PUT",
        f"{vm}/runCommands/x",
        located({"source": {"script": "true"}, "timeoutInSeconds": -1}),
        400,
    ),
    row("delete attached disk", "DELETE", "disks/desk-vm_OsDisk_1", None, 409, "OperationNotAllowed"),
    row("delete gallery with definitions", "DELETE", "galleries/lab", None, 409, "CannotDeleteResource"),
    row("delete definition with versions", "DELETE", "galleries/lab/images/tools", None, 409, "CannotDeleteResource"),
    *(
        row(f"{word} of no {kind}", method, f"{kind}/{missing}", body, 404, "ResourceNotFound")
        for kind, (_, missing) in RESOURCES.items()
        for word, method, body in (("patch", "PATCH", {"tags": {}}), ("get", "GET", None))
    ),
    *(
        row(f"patch of {kind} with {what}", "PATCH", f"{kind}/{name}", body, 400, code)
        for kind, (name, _) in RESOURCES.items()
        for what, body, code in (
            ("an unknown member", {"colour": "red"}, "InvalidRequestContent"),
            ("tags that are no object", {"tags": "a"}, ""),
        )
    ),
    row("access without duration", "POST", f"{disk}/beginGetAccess", {"access": "Read"}, 400),
    row("access unknown", "POST", f"{disk}/beginGetAccess", {"access": "Sniff", "durationInSeconds": 60}, 400),
    row("access 0 s", "POST", f"{disk}/beginGetAccess", {"access": "Read", "durationInSeconds": 0}, 400),
    row("access too long", "POST", f"{disk}/beginGetAccess", {"access": "Read", "durationInSeconds": 2**32}, 400),
    row("write to no upload", "POST", f"{disk}/beginGetAccess", {"access": "Write", "durationInSeconds": 60}, 409),
    row(
        "access format",
        "POST",
        f"{disk}/beginGetAccess",
        {"access": "Read", "durationInSeconds": 60, "fileFormat": "QCOW"},
        400,
    ),
    row(
        "access of nothing",
        "POST",
        "disks/none/beginGetAccess",
        {"access": "Read", "durationInSeconds": 60},
        404,
        "ResourceNotFound",
    ),
    row(
        "access of running",
        "POST",
        "disks/desk-vm_OsDisk_1/beginGetAccess",
        {"access": "Read", "durationInSeconds": 60},
        409,
        "OperationNotAllowed",
    ),
    row("end of access to nothing", "POST", "disks/none/endGetAccess", None, 404, "ResourceNotFound"),
]
