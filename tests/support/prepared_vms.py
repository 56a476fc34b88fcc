"""Emulator states with VMs for tests, created by requests to the emulator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator import open_emulator
from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store
from tests.support.documents import GROUP

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from batchimg_magics.session.session import Session

NETWORK = GROUP.replace("Microsoft.Compute", "Microsoft.Network")
SUBNET = f"{NETWORK}/virtualNetworks/research-vnet/subnets/default"
SYSTEMS = {
    "Linux": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
    "Windows": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2"},
}
SCRIPTS = {
    "Linux": (
        "RunShellScript",
        "systemd-run --on-active=30 /bin/sh -c 'waagent -deprovision+user -force && sync && poweroff'",
    ),
    "Windows": (
        "RunPowerShellScript",
        "Start-Process C:\\Windows\\System32\\Sysprep\\sysprep.exe '/generalize /oobe /mode:vm /shutdown'",
    ),
}
#: Longer than anything that Compute does to a VM or a disk.
LONG_S = 7200.0


#: The types of Microsoft.Compute with api-versions of their own.
VERSIONS = {"galleries": "2024-03-03", "disks": "2024-03-02", "snapshots": "2024-03-02"}


@dataclass
class StateFileClient:
    """Sends plain requests to the emulator of a state file that no session has open."""

    path: Path

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """Send a request for a path below the Compute provider or from the root, and complete the operation."""
        version = version or next((one for word, one in VERSIONS.items() if f"{word}/" in path), "2024-07-01")
        store = Store(self.path, start=0)
        clock = ManualClock(store.latest_time())
        try:
            url = path if path.startswith(("/subscriptions", "/_sim")) else f"{GROUP}/{path}"
            url = f"https://management.azure.com{url}{'&' if '?' in url else '?'}api-version={version}"
            content = b"" if body is None else json.dumps(body).encode()
            headers = {"host": "management.azure.com", "authorization": "Bearer any"}
            answer = App(store, clock, control=True).answer(method, url, headers, content)
            assert answer.status < 300, (url, answer.status, answer.body)
            if method != "GET" and not path.startswith("/_sim"):
                with store.transaction(write=True):
                    store.record_time(clock.now() + LONG_S)
            return json.loads(answer.body) if answer.body else None
        finally:
            store.close()

    def fail(self, *faults: dict[str, Any]) -> None:
        """Replace the pending faults."""
        self.ask("POST", "/_sim/faults", {"faults": list(faults)})

    def import_documents(self, documents: list[dict[str, Any]]) -> None:
        """Import resource documents unchanged."""
        self.ask("POST", "/_sim/import", {"resources": documents})

    def assign(self, role: dict[str, Any]) -> None:
        """Assign a role to the caller; the role is as `az role definition create` takes it."""
        (scope,) = role["AssignableScopes"]
        provider = f"{scope}/providers/Microsoft.Authorization"
        permissions = [{"actions": role["Actions"], "notActions": role["NotActions"]}]
        definition = {"properties": {"roleName": role["Name"], "permissions": permissions}}
        self.ask("PUT", f"{provider}/roleDefinitions/least", definition, "2022-04-01")
        assignment = {"properties": {"roleDefinitionId": f"{provider}/roleDefinitions/least"}}
        self.ask("PUT", f"{provider}/roleAssignments/mine", assignment, "2022-04-01")

    def create_vm(self, name: str, os_type: str = "Linux", disks: int = 0, **properties: Any) -> None:
        """Create a running VM of a Marketplace image with empty data disks and a network interface."""
        interface = {
            "name": f"{name}-nic",
            "properties": {
                "primary": True,
                "ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": SUBNET}}}],
            },
        }
        data = [{"lun": 2 * one, "createOption": "Empty", "diskSizeGB": 16} for one in range(disks)]
        storage = {
            "imageReference": SYSTEMS[os_type] | {"version": "latest"},
            "osDisk": {"createOption": "FromImage", "name": f"{name}-os"},
            "dataDisks": [one | {"name": f"{name}-data{one['lun']}"} for one in data],
        }
        body = {
            "hardwareProfile": {"vmSize": "Standard_D8s_v5"},
            "storageProfile": storage,
            "osProfile": {"computerName": name, "adminUsername": "researcher", "adminPassword": "not-a-secret-1"},
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [interface],
            },
        }
        self.ask("PUT", f"virtualMachines/{name}", {"location": "eastus", "properties": body | properties})

    def deprovision(self, name: str, os_type: str = "Linux", *, marked: bool = True) -> None:
        """Deprovision a VM as its owner does before an image is created from it."""
        command, line = SCRIPTS[os_type]
        self.ask("POST", f"virtualMachines/{name}/runCommand", {"commandId": command, "script": [line]})
        self.ask("POST", f"virtualMachines/{name}/deallocate")
        if marked:
            self.ask("POST", f"virtualMachines/{name}/generalize")

    def snapshot(self, name: str, disk: str) -> str:
        """Take a snapshot of a disk and return its id."""
        creation = {"createOption": "Copy", "sourceResourceId": f"{GROUP}/disks/{disk}"}
        body = {"location": "eastus", "properties": {"creationData": creation}}
        self.ask("PUT", f"snapshots/{name}", body, "2023-10-02")
        return f"{GROUP}/snapshots/{name}"

    def image(self, name: str, vm: str) -> str:
        """Create a managed image of a VM and return its id."""
        body = {"location": "eastus", "properties": {"sourceVirtualMachine": {"id": f"{GROUP}/virtualMachines/{vm}"}}}
        body["properties"]["hyperVGeneration"] = "V2"
        self.ask("PUT", f"images/{name}", body)
        return f"{GROUP}/images/{name}"


def new_state_file(folder: Path, date: dt.datetime | None = None) -> StateFileClient:
    """Create an emulator state file with the default resources."""
    path = folder / "world.db"
    open_emulator(path, start=date).close()
    return StateFileClient(path)


def connect_to(session: Session, client: StateFileClient) -> Session:
    """Connect a session to an emulator state; time advances only while a verb waits."""
    session.connect(state=str(client.path), speed="max")
    return session
