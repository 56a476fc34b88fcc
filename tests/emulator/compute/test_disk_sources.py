"""Sources of disks beside other disks: images, blobs, uploads; and SKUs with a given performance."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.catalog.platform_images import find_image
from tests.support.compute_emulator import ComputeEmulator, definition, resource, version

MARKET = (
    "/Subscriptions/s/Providers/Microsoft.Compute/Locations/eastus/Publishers/{}/ArtifactTypes/VMImage/Offers/{}/Skus/"
    "{}/Versions/{}"
)

LATEST = "22.04.202506060"


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def of_image(key: str, **reference: Any) -> dict[str, Any]:
    return {"creationData": {"createOption": "FromImage", "galleryImageReference": {"id": key, **reference}}}


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (("canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"), ("Linux", "V2", 30)),
        (("canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"), ("Linux", "V1", 30)),
        (("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2"), ("Windows", "V2", 127)),
    ],
)
def test_a_disk_of_a_marketplace_image(
    compute: ComputeEmulator, image: tuple[str, str, str], found: tuple[str, str, int]
) -> None:
    known = find_image(*image)
    assert known is not None
    creation = {"createOption": "FromImage", "imageReference": {"id": MARKET.format(*image, known.latest)}}
    made = compute.make("disks/d", {"creationData": creation}).properties
    assert (made["osType"], made["hyperVGeneration"], made["diskSizeGB"]) == found


def test_a_disk_of_a_gallery_image(compute: ComputeEmulator) -> None:
    compute.definition(security="TrustedLaunch")
    compute.snapshot("os", "prep-vm_OsDisk_1")
    compute.snapshot("data", "prep-vm_DataDisk_0")
    compute.make("galleries/lab/images/tools/versions/1.0.0", version(data={5: "snapshots/data"}))
    key = resource("galleries/lab/images/tools/versions/1.0.0")
    system = compute.make("disks/d", of_image(key)).properties
    assert (system["osType"], system["hyperVGeneration"], system["diskSizeGB"]) == ("Linux", "V2", 64)
    assert system["securityProfile"] == {"securityType": "TrustedLaunch"}
    data = compute.make("disks/e", of_image(key, lun=5)).properties
    assert data["diskSizeGB"] == 256
    assert "osType" not in data
    assert compute.refused("disks/f", of_image(key, lun=1))[:2] == (400, "InvalidParameter")
    assert compute.refused("disks/f", of_image(key.replace("1.0.0", "9.0.0")))[0] == 404


def test_a_disk_of_a_blob_has_the_given_properties(compute: ComputeEmulator) -> None:
    account = resource("x").replace("Microsoft.Compute/x", "Microsoft.Storage/storageAccounts/a")
    blob = "https://a.blob.core.windows.net/vhds/os.vhd"
    creation = {"createOption": "Import", "sourceUri": blob, "storageAccountId": account}
    made = compute.make("disks/d", {"creationData": creation, "osType": "Windows", "diskSizeGB": 127}).properties
    assert (made["osType"], made["diskSizeGB"]) == ("Windows", 127)
    bare = {"creationData": {"createOption": "Import"}}
    assert compute.refused("disks/e", bare)[:2] == (400, "InvalidParameter")


def test_an_upload_is_waited_for(compute: ComputeEmulator) -> None:
    creation = {"createOption": "Upload", "uploadSizeBytes": 10 * 1024**3 + 512}
    made = compute.make("disks/d", {"creationData": creation}).properties
    assert (made["diskState"], made["diskSizeGB"]) == ("ReadyToUpload", 10)


def test_the_speeds_of_some_skus_are_asked_for(compute: ComputeEmulator) -> None:
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 100}
    fast = compute.make("disks/d", empty | {"diskIOPSReadWrite": 2000}, sku={"name": "UltraSSD_LRS"})
    assert fast.body["sku"] == {"name": "UltraSSD_LRS", "tier": "Ultra"}
    assert (fast.properties["diskIOPSReadWrite"], fast.properties["diskMBpsReadWrite"]) == (2000, 8)
    plain = compute.refused("disks/e", empty | {"diskIOPSReadWrite": 2000}, sku={"name": "Premium_LRS"})
    assert plain[:2] == (400, "InvalidParameter")


def test_a_gallery_image_is_a_source_only_where_it_has_copies(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    compute.make("galleries/lab/images/tools", definition())
    compute.snapshot("os", "desk-vm_OsDisk_1")
    compute.version()
    body = of_image(resource("galleries/lab/images/tools/versions/1.0.0"))
    assert compute.refused("disks/d", body, location="westus")[:2] == (404, "GalleryImageNotFound")


def machine(compute: ComputeEmulator, image: dict[str, str]) -> dict[str, Any]:
    return {
        "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
        "storageProfile": {"imageReference": image, "osDisk": {"name": "os", "createOption": "FromImage"}},
        "osProfile": {"computerName": "x", "adminUsername": "u", "adminPassword": "Never-k3pt"},
        "networkProfile": {"networkInterfaces": [{"id": compute.nic()}]},
    }


def test_the_disk_of_a_vm_names_the_image_that_it_is_made_of(compute: ComputeEmulator) -> None:
    image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts", "version": LATEST}
    compute.make("virtualMachines/made", machine(compute, image))
    creation = compute.ask("GET", "disks/os").properties["creationData"]
    assert creation["createOption"] == "FromImage"
    assert creation["imageReference"]["id"].endswith(
        "/Publishers/Canonical/ArtifactTypes/VMImage/Offers/0001-com-ubuntu-server-jammy/Skus/22_04-lts/Versions/"
        f"{LATEST}"
    )


def test_a_disk_of_a_specialized_version_is_made_and_so_is_a_vm(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    compute.make("galleries/lab/images/spec", definition("spec") | {"osState": "Specialized"})
    compute.make("galleries/lab/images/spec/versions/1.0.0", version("virtualMachines/desk-vm"))
    key = resource("galleries/lab/images/spec/versions/1.0.0")
    made = compute.make("disks/a", of_image(key)).properties
    assert (made["osType"], made["hyperVGeneration"]) == ("Linux", "V2")
    vm = machine(compute, {"id": key})
    refused = compute.refused("virtualMachines/vm", vm)
    assert refused == (400, "InvalidParameter", "Parameter 'osProfile' is not allowed.")
    del vm["osProfile"]
    assert compute.make("virtualMachines/vm", vm).status == 200


def test_disks_of_marketplace_images_of_generation_2_have_their_capabilities(compute: ComputeEmulator) -> None:
    image = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    compute.make("virtualMachines/vm", machine(compute, image))
    disk = compute.ask("GET", "disks/os").properties
    direct = compute.make("disks/d", {"creationData": {"createOption": "FromImage", **image_of(disk)}}).properties
    copied = compute.snapshot("s", "os").properties
    for made in (disk, direct, copied):
        assert made["supportsHibernation"] is True
        assert made["supportedCapabilities"] == {
            "diskControllerTypes": "SCSI, NVMe",
            "acceleratedNetwork": True,
            "architecture": "x64",
        }
    for words in (("no", "such", "image", "1.0.0"), ("canonical", "ubuntu-24_04-lts", "server", "1.0.0")):
        wrong = {"createOption": "FromImage", "imageReference": {"id": MARKET.format(*words)}}
        assert compute.refused("disks/n", {"creationData": wrong})[:2] == (404, "PlatformImageNotFound")


def image_of(disk: dict[str, Any]) -> dict[str, Any]:
    return {"imageReference": disk["creationData"]["imageReference"]}
