"""VMs that Azure does not make."""

from __future__ import annotations

from typing import Any

from tests.support.compute_bodies import (
    ATTACHED,
    GONE,
    NETWORK,
    VM,
)
from tests.support.compute_emulator import resource
from tests.support.refusals.actions import ELSEWHERE

#: A name, the body that is taken, what is changed in it, the status, and the code if it is known.
storage, system = "properties.storageProfile", "properties.osProfile"
missing = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": resource("disks/none")}}
taken = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": resource("disks/desk-vm_DataDisk_0")}}
zonal = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": resource("disks/zonal")}}
there = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": resource("disks/there")}}
many = [{"lun": lun, "createOption": "Empty", "diskSizeGB": 4} for lun in range(5)]
ssh = {"publicKeys": [{"path": "/home/researcher/.ssh/authorized_keys", "keyData": "ssh-rsa AAAAB3NzaC1yc2E"}]}
MACHINES: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    ("no location", VM, {"location": GONE}, 400, "LocationRequired"),
    ("unknown region", VM, {"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
    ("unknown member", VM, {"hardware_profile": {}}, 400, "InvalidRequestContent"),
    ("unknown property", VM, {"properties.hardware": {}}, 400, ""),
    ("no size", VM, {"properties.hardwareProfile": GONE}, 400, "InvalidParameter"),
    ("unknown size", VM, {"properties.hardwareProfile.vmSize": "Standard_Huge"}, 400, "InvalidParameter"),
    (
        "size of no region",
        VM,
        {"location": "uksouth", "properties.hardwareProfile.vmSize": "Standard_NC24ads_A100_v4"},
        409,
        "SkuNotAvailable",
    ),
    ("no image", VM, {f"{storage}.imageReference": GONE}, 400, "InvalidParameter"),
    ("image without sku", VM, {f"{storage}.imageReference.sku": GONE}, 400, "InvalidParameter"),
    ("image unknown", VM, {f"{storage}.imageReference.offer": "beos"}, 404, "PlatformImageNotFound"),
    ("image of both kinds", VM, {f"{storage}.imageReference.id": resource("images/plain")}, 400, "InvalidParameter"),
    ("image missing", VM, {f"{storage}.imageReference": {"id": resource("images/none")}}, 404, ""),
    (
        "version missing",
        VM,
        {f"{storage}.imageReference": {"id": resource("galleries/lab/images/tools/versions/9.9.9")}},
        404,
        "",
    ),
    (
        "image of no subscription",
        VM,
        {f"{storage}.imageReference": {"id": f"{ELSEWHERE}/images/i"}},
        403,
        "LinkedAuthorizationFailed",
    ),
    ("image no id", VM, {f"{storage}.imageReference": {"id": "tools"}}, 400, ""),
    ("no create option", VM, {f"{storage}.osDisk.createOption": GONE}, 400, "InvalidParameter"),
    ("unknown create option", VM, {f"{storage}.osDisk.createOption": "Clone"}, 400, ""),
    ("unknown caching", VM, {f"{storage}.osDisk.caching": "Write"}, 400, "BadRequest"),
    ("unknown account", VM, {f"{storage}.osDisk.managedDisk.storageAccountType": "StandardLRS"}, 400, ""),
    ("ultra os disk", VM, {f"{storage}.osDisk.managedDisk.storageAccountType": "UltraSSD_LRS"}, 400, ""),
    ("small os disk", VM, {f"{storage}.osDisk.diskSizeGB": 4}, 400, ""),
    ("large os disk", VM, {f"{storage}.osDisk.diskSizeGB": 5000}, 400, ""),
    ("unknown delete option", VM, {f"{storage}.osDisk.deleteOption": "Keep"}, 400, ""),
    ("no lun", VM, {f"{storage}.dataDisks.0.lun": GONE}, 400, "InvalidParameter"),
    ("no data option", VM, {f"{storage}.dataDisks.0.createOption": GONE}, 400, "InvalidParameter"),
    ("lun 64", VM, {f"{storage}.dataDisks.0.lun": 64}, 400, "InvalidParameter"),
    ("lun -1", VM, {f"{storage}.dataDisks.0.lun": -1}, 400, "InvalidParameter"),
    (
        "two of a lun",
        VM,
        {f"{storage}.dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 8}] * 2},
        400,
        "InvalidParameter",
    ),
    ("data without size", VM, {f"{storage}.dataDisks.0.diskSizeGB": GONE}, 400, "InvalidParameter"),
    ("data image disk", VM, {f"{storage}.dataDisks.0": {"lun": 5, "createOption": "FromImage"}}, 400, ""),
    ("data of ultra", VM, {f"{storage}.dataDisks.0.managedDisk": {"storageAccountType": "UltraSSD_LRS"}}, 400, ""),
    ("attach nothing", VM, {f"{storage}.dataDisks.0": {"lun": 0, "createOption": "Attach"}}, 400, "InvalidParameter"),
    ("attach missing", VM, {f"{storage}.dataDisks.0": missing}, 404, ""),
    ("attach taken", VM, {f"{storage}.dataDisks.0": taken}, 409, ""),
    ("attach zonal", VM, {f"{storage}.dataDisks.0": zonal}, 400, ""),
    ("attach of another region", VM, {f"{storage}.dataDisks.0": there}, 400, ""),
    ("too many disks", VM, {f"{storage}.dataDisks": many}, 409, "OperationNotAllowed"),
    (
        "nvme",
        VM,
        {"properties.hardwareProfile.vmSize": "Standard_D2s_v3", f"{storage}.diskControllerType": "NVMe"},
        400,
        "",
    ),
    ("unknown controller", VM, {f"{storage}.diskControllerType": "IDE"}, 400, ""),
    ("no os profile", VM, {system: GONE}, 400, "InvalidParameter"),
    ("no user", VM, {f"{system}.adminUsername": GONE}, 400, "InvalidParameter"),
    *(
        (f"user {name}", VM, {f"{system}.adminUsername": name}, 400, "InvalidParameter")
        for name in ("root", "admin", "administrator", "guest")
    ),
    ("user with signs", VM, {f"{system}.adminUsername": "a/b"}, 400, "InvalidParameter"),
    ("user ends with a dot", VM, {f"{system}.adminUsername": "abc."}, 400, "InvalidParameter"),
    ("long user", VM, {f"{system}.adminUsername": "a" * 65}, 400, "InvalidParameter"),
    *(
        (f"password {word[:8]}", VM, {f"{system}.adminPassword": word}, 400, "InvalidParameter")
        for word in ("short", "alllowercaseletters", "P@ssw0rd", "a" * 80)
    ),
    ("no way in", VM, {f"{system}.adminPassword": GONE}, 400, "InvalidParameter"),
    (
        "keys without keys",
        VM,
        {f"{system}.adminPassword": GONE, f"{system}.linuxConfiguration": {"disablePasswordAuthentication": True}},
        400,
        "InvalidParameter",
    ),
    *(
        (
            f"ssh {name}",
            VM,
            {f"{system}.linuxConfiguration": {"ssh": {"publicKeys": [ssh["publicKeys"][0] | change]}}},
            400,
            "",
        )
        for name, change in (("path", {"path": "/etc/keys"}), ("key", {"keyData": "hello"}))
    ),
    (
        "windows settings on linux",
        VM,
        {f"{system}.windowsConfiguration": {"enableAutomaticUpdates": True}},
        400,
        "InvalidParameter",
    ),
    ("computer name", VM, {f"{system}.computerName": "a_b"}, 400, "InvalidParameter"),
    ("long computer name", VM, {f"{system}.computerName": "a" * 65}, 400, "InvalidParameter"),
    ("custom data", VM, {f"{system}.customData": "#!/bin/sh"}, 400, "InvalidParameter"),
    ("user data", VM, {"properties.userData": "#!/bin/sh"}, 400, "InvalidParameter"),
    ("no nic", VM, {"properties.networkProfile": GONE}, 400, "InvalidParameter"),
    (
        "missing nic",
        VM,
        {"properties.networkProfile.networkInterfaces": [{"id": f"{NETWORK}networkInterfaces/none"}]},
        404,
        "InvalidResourceReference",
    ),
    (
        "taken nic",
        VM,
        {"properties.networkProfile.networkInterfaces": [{"id": f"{NETWORK}networkInterfaces/desk-vm-nic"}]},
        400,
        "",
    ),
    ("unknown priority", VM, {"properties.priority": "High"}, 400, ""),
    ("eviction of regular", VM, {"properties.evictionPolicy": "Delete"}, 400, ""),
    ("price of regular", VM, {"properties.billingProfile": {"maxPrice": 0.1}}, 400, ""),
    ("price 0", VM, {"properties.priority": "Spot", "properties.billingProfile": {"maxPrice": 0}}, 400, ""),
    ("unknown eviction", VM, {"properties.priority": "Spot", "properties.evictionPolicy": "Pause"}, 400, ""),
    ("unknown licence", VM, {"properties.licenseType": "Mine"}, 400, ""),
    ("unknown security", VM, {"properties.securityProfile": {"securityType": "Strong"}}, 400, ""),
    (
        "confidential size",
        VM,
        {
            "properties.securityProfile": {"securityType": "ConfidentialVM", "uefiSettings": {"vTpmEnabled": True}},
            f"{storage}.osDisk.managedDisk.securityProfile": {"securityEncryptionType": "VMGuestStateOnly"},
        },
        400,
        "",
    ),
    (
        "trusted gen 1",
        VM,
        {
            f"{storage}.imageReference.sku": "server-gen1",
            "properties.securityProfile": {"securityType": "TrustedLaunch"},
        },
        400,
        "",
    ),
    (
        "standard of a trusted image",
        VM,
        {f"{storage}.imageReference": {"id": resource("galleries/lab/images/tools")}, f"{storage}.dataDisks": []},
        400,
        "BadRequest",
    ),
    ("two zones", VM, {"zones": ["1", "2"]}, 400, "ResourceTypeNotSupportMultiZones"),
    ("unknown zone", VM, {"zones": ["9"]}, 400, ""),
    ("missing set", VM, {"properties.availabilitySet": {"id": resource("availabilitySets/none")}}, 404, ""),
    (
        "set and zone",
        VM,
        {"zones": ["1"], "properties.availabilitySet": {"id": resource("availabilitySets/none")}},
        400,
        "",
    ),
    ("attach missing os disk", ATTACHED, {f"{storage}.osDisk.managedDisk.id": resource("disks/none")}, 404, ""),
    ("attach without os type", ATTACHED, {f"{storage}.osDisk.osType": GONE}, 400, "InvalidParameter"),
    ("profile of attached", ATTACHED, {system: VM["properties"]["osProfile"]}, 400, "InvalidParameter"),
    (
        "attach taken os disk",
        ATTACHED,
        {f"{storage}.osDisk.managedDisk.id": resource("disks/desk-vm_OsDisk_1")},
        409,
        "",
    ),
    ("ephemeral without caching", VM, {f"{storage}.osDisk.diffDiskSettings": {"option": "Local"}}, 400, ""),
    ("ephemeral unknown", VM, {f"{storage}.osDisk.diffDiskSettings": {"option": "Remote"}}, 400, ""),
    ("identity unknown", VM, {"identity": {"type": "Mine"}}, 400, ""),
    ("identity missing", VM, {"identity": {"type": "UserAssigned"}}, 400, ""),
]
