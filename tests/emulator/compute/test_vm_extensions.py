"""VM extensions: installed, shown with their VM, refused, and removed."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator, copy_of, resource

VM = "virtualMachines/desk-vm"
SCRIPT = f"{VM}/extensions/script"
TYPES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/eastus/publishers"


def custom_script(line: str = "true", **more: Any) -> dict[str, Any]:
    return {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "autoUpgradeMinorVersion": True,
        "settings": {},
        "protectedSettings": {"commandToExecute": line},
        **more,
    }


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def test_an_extension_is_installed_shown_with_its_vm_and_removed(compute: ComputeEmulator) -> None:
    begun = compute.ask("PUT", SCRIPT, {"location": "eastus", "properties": custom_script()})
    assert (begun.status, begun.properties["provisioningState"]) == (201, "Creating")
    assert "protectedSettings" not in begun.properties
    compute.clock.advance(600)
    assert compute.ask("GET", begun.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    vm = compute.ask("GET", f"{VM}?$expand=instanceView")
    assert [one["name"] for one in vm.body["resources"]] == ["script"]
    view = vm.properties["instanceView"]
    assert view["extensions"][0]["type"] == "Microsoft.Azure.Extensions.CustomScript"
    assert view["vmAgent"]["extensionHandlers"][0]["typeHandlerVersion"] == "2.1"
    shown = compute.ask("GET", f"{SCRIPT}?$expand=instanceView").properties["instanceView"]
    assert shown["statuses"][0]["code"] == "ProvisioningState/succeeded"
    assert compute.ask("PATCH", SCRIPT, {"tags": {"a": "b"}}).body["tags"] == {"a": "b"}
    assert len(compute.ask("GET", f"{VM}/extensions").body["value"]) == 1
    compute.clock.advance(600)
    assert compute.ask("DELETE", SCRIPT).status == 202
    compute.clock.advance(600)
    assert compute.ask("GET", SCRIPT).status == 404
    assert "resources" not in compute.ask("GET", VM).body


def test_a_script_runs_in_the_vm_and_its_failure_fails_the_extension(compute: ComputeEmulator) -> None:
    text = base64.b64encode(b"echo no >&2; exit 3").decode()
    body = custom_script(settings={"script": text}, protectedSettings={})
    begun = compute.ask("PUT", SCRIPT, {"location": "eastus", "properties": body})
    compute.clock.advance(600)
    polled = compute.ask("GET", begun.headers["Azure-AsyncOperation"]).body
    assert (polled["status"], polled["error"]["code"]) == ("Failed", "VMExtensionProvisioningError")
    assert "exit status=3" in polled["error"]["message"]
    assert compute.ask("GET", SCRIPT).properties["provisioningState"] == "Failed"
    compute.make(SCRIPT, custom_script("userdel -r researcher"))
    disk = compute.store.get(resource("disks/desk-vm_OsDisk_1"))
    assert disk is not None
    assert compute.ask("GET", SCRIPT).properties["provisioningState"] == "Succeeded"


def test_images_of_a_vm_with_an_extension_have_its_remains(compute: ComputeEmulator) -> None:
    compute.make(SCRIPT, custom_script())
    compute.make("snapshots/copy", {"creationData": copy_of("disks/desk-vm_OsDisk_1")})
    item = compute.store.get(resource("snapshots/copy"))
    assert item is not None
    assert item.hidden["extensions"] is True


def test_extensions_go_with_their_vm(compute: ComputeEmulator) -> None:
    compute.make(SCRIPT, custom_script())
    compute.ask("DELETE", VM)
    compute.clock.advance(600)
    assert compute.ask("GET", SCRIPT).status == 404


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        (SCRIPT, {"type": "None"}, (404, "ArtifactNotFound")),
        (SCRIPT, {"typeHandlerVersion": "9.9"}, (404, "ArtifactVersionNotFound")),
        (SCRIPT, {"typeHandlerVersion": None}, (400, "InvalidParameter")),
        (SCRIPT, {"publisher": "Microsoft.Compute", "type": "CustomScriptExtension"}, (409, "OperationNotAllowed")),
        (SCRIPT, {"protectedSettings": {}}, (400, "InvalidParameter")),
        (SCRIPT, {"protectedSettings": {"fileUris": ["https://a.invalid/b"]}}, (501, "NotImplemented")),
        (SCRIPT, {"settings": {"script": "*"}, "protectedSettings": {}}, (400, "InvalidParameter")),
        ("virtualMachines/prep-vm/extensions/script", {}, (409, "OperationNotAllowed")),
        ("virtualMachines/none/extensions/script", {}, (404, "ParentResourceNotFound")),
    ],
)
def test_invalid_extensions_are_refused(
    compute: ComputeEmulator, path: str, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert compute.refused(path, custom_script(**change))[:2] == expected


def test_a_handler_has_one_extension(compute: ComputeEmulator) -> None:
    compute.make(SCRIPT, custom_script())
    second = compute.refused(f"{VM}/extensions/second", custom_script())
    assert second[:2] == (400, "BadRequest")
    assert "Multiple VMExtensions per handler" in second[2]
    access = {"publisher": "Microsoft.OSTCExtensions", "type": "VMAccessForLinux", "typeHandlerVersion": "1.5"}
    assert compute.make(f"{VM}/extensions/enablevmaccess", access).status == 200
    assert compute.refused(SCRIPT, access)[:2] == (409, "PropertyChangeNotAllowed")


def test_types_and_versions_of_extensions_are_listed(compute: ComputeEmulator) -> None:
    def names(tail: str) -> list[str]:
        return [str(one["name"]) for one in compute.ask("GET", f"{TYPES}/{tail}").body]

    top = "Microsoft.Azure.Extensions/artifacttypes/vmextension/types"
    assert names(top) == ["CustomScript", "DockerExtension"]
    assert names(f"{top}/CustomScript/versions?$top=1&$orderby=name desc") == ["2.1.13"]
    one = compute.ask("GET", f"{TYPES}/{top}/CustomScript/versions/2.0.7")
    assert one.properties["operatingSystem"] == "Linux"
    assert names("Microsoft.Compute/artifacttypes/vmextension/types/VMAccessAgent/versions") == ["1.0.2", "2.4.10"]
    watchers = names("Microsoft.Azure.NetworkWatcher/artifacttypes/vmextension/types")
    assert watchers == ["NetworkWatcherAgentLinux", "NetworkWatcherAgentWindows"]
