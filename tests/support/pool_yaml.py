"""Pools with every property that a pool can have, as YAML, and specs that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

NETWORK = "/subscriptions/4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034/resourceGroups/research/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/research-vnet/subnets/default"
IDENTITY = f"{NETWORK.replace('Network', 'ManagedIdentity')}/userAssignedIdentities/reader"
#: Environment variable to the secret in it; no answer, table or error may have one of these in it.
SECRETS = {
    "BLOB_KEY": "bleu-key-0001",
    "FILES_KEY": "files-key-0002",
    "CIFS_PASSWORD": "cifs-word-0003",
    "REGISTRY_PASSWORD": "registry-word-0004",
    "USER_PASSWORD": "user-word-0005",
    "SSH_KEY": "ssh-key-0006",
    "TOKEN": "token-0007",
    "DATA_URL": "https://store.blob.core.windows.net/in/data.tar?sv=1&sig=sas-0008",
}
COMMON_YAML = f"""\
from_vm: prep-vm
vm_size: Standard_D4s_v5
task-slots: 4
inter-node: true
subnet: {SUBNET}
os-disk-gib: 128
os-disk-type: StandardSSD_LRS
metadata: {{project: gene, year: 2026}}
login-ports:
  - 22
  - {{port: 8080, name: web, first: 30000, last: 30999, allow: [203.0.113.0/24]}}
start-task:
  command-line: /bin/sh -c 'mount -a && ./data/setup'
  user: worker
  environment: {{MODE: fast, TOKEN: env:TOKEN}}
  resource-files:
    - {{url: env:DATA_URL, path: data.tar, mode: "0640"}}
    - {{container: scripts, path: scripts, prefix: setup}}
  retries: 2
  wait_for_success: false
mounts:
  - {{type: blob, account: store, container: data, path: data, key: env:BLOB_KEY, options: -o allow_other}}
  - {{type: files, account: store, url: "https://store.file.core.windows.net/f", path: f, key: env:FILES_KEY}}
  - {{type: nfs, source: "10.0.0.4:/export", path: nfs}}
  - {{type: cifs, source: "//10.0.0.5/share", user: me, password: env:CIFS_PASSWORD, path: share}}
container-images: [lab.azurecr.io/tool:1]
container-registries:
  - {{server: lab.azurecr.io, user: puller, password: env:REGISTRY_PASSWORD}}
user-accounts:
  - {{name: worker, password: env:USER_PASSWORD, elevation: admin, uid: 1100, gid: 1100, ssh_private_key: env:SSH_KEY}}
"""
#: What only Azure Resource Manager has.
ARM_ONLY_YAML = f"""\
tags: {{cost-centre: "42"}}
identities: [{IDENTITY}]
"""
#: Public addresses that pools can use, if `address_documents` are in the emulator.
ADDRESSES = [f"{NETWORK}/publicIPAddresses/{name}" for name in ("egress", "second")]
#: Disks, encryption, placement, network, containers, upgrades and extensions of nodes.
FEATURES = f"""\
from_vm: prep-vm
vm_size: Standard_D4ds_v5
subnet: {SUBNET}
ephemeral_os_disk: true
data_disks: [64, {{lun: 5, size_gib: 1024, type: Premium_LRS, caching: ReadOnly}}]
encryption_at_host: true
node_placement: zonal
public_addresses: [{ADDRESSES[0]}]
accelerated_networking: true
node_fill: pack
job_order: creationtime
display_name: Genomics
containers: true
upgrade_policy:
  mode: rolling
  automatic_os_upgrade: true
  defer_while_running: true
  rolling: {{batch_percent: 20, unhealthy_percent: 40, pause: 90s, across_zones: true}}
extensions:
  - name: vault
    publisher: Microsoft.Azure.KeyVault
    type: KeyVaultForLinux
    version: "3.0"
    settings: {{secretsManagementSettings: {{pollingIntervalInS: "300"}}}}
    protected_settings: {{token: env:VAULT_TOKEN}}
    auto_upgrade_minor_version: true
"""


def address_documents() -> list[dict[str, Any]]:
    """Return the public addresses, to be imported into an emulator."""
    return [
        {
            "id": key,
            "name": key.rpartition("/")[2],
            "type": "Microsoft.Network/publicIPAddresses",
            "location": "eastus",
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        for key in ADDRESSES
    ]


def refused_spec(session: Session, text: str) -> SpecError:
    """Return the error of `create` with lines of YAML; it is raised before any request."""
    session.close()  # whoever asked Azure for anything would have to connect first
    with pytest.raises(SpecError) as caught:
        session.create("genomics", spec=f"from_vm: prep-vm\nvm_size: Standard_D4s_v5\n{text}\n")
    return caught.value
