// @azure/arm-compute: VMs, disks, snapshots and gallery images, followed by the client's own pollers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { GROUP, PROVIDERS, REGION, all, compute, deleted, network, refused } from "./connection.mjs";

const resource = (path) => ({ id: `${PROVIDERS}/Microsoft.Compute/${path}` });
const copyOf = (disk) => ({ createOption: "Copy", sourceResourceId: resource(`disks/${disk}`).id });

/** Start work, see that the poller says that it goes on, and return what comes of it. */
async function followed(poller) {
  await poller.submitted();
  assert.equal(poller.operationState.status, "running");
  const made = await poller.pollUntilDone();
  assert.equal(poller.operationState.status, "succeeded");
  return made;
}

test("the VMs that are there", async () => {
  const machines = await all(compute.virtualMachines.list(GROUP));
  assert.ok(["desk-vm", "prep-vm", "win-vm"].every((name) => machines.some((vm) => vm.name === name)));
  const prepared = machines.find((vm) => vm.name === "prep-vm");
  assert.equal(prepared.securityProfile.securityType, "TrustedLaunch");
  assert.equal(prepared.storageProfile.dataDisks.length, 1);
  const [size] = (await all(compute.virtualMachineSizes.list(REGION))).filter((one) => one.name === "Standard_D4s_v5");
  assert.equal(size.numberOfCores, 4);
  await refused(compute.virtualMachines.get(GROUP, "none"), 404, "ResourceNotFound");
});

test("a VM is made, stopped, generalized and deleted", async () => {
  const subnet = { id: `${PROVIDERS}/Microsoft.Network/virtualNetworks/research-vnet/subnets/default` };
  const nic = await network.networkInterfaces.createOrUpdate(GROUP, "made-nic", {
    location: REGION,
    ipConfigurations: [{ name: "first", subnet }],
  });
  const wanted = {
    location: REGION,
    hardwareProfile: { vmSize: "Standard_D2s_v5" },
    storageProfile: {
      imageReference: { publisher: "canonical", offer: "ubuntu-24_04-lts", sku: "server", version: "latest" },
      osDisk: { name: "made-os", createOption: "FromImage", managedDisk: { storageAccountType: "Premium_LRS" } },
    },
    osProfile: { computerName: "made", adminUsername: "researcher", adminPassword: "Not-a-secret-1" },
    networkProfile: { networkInterfaces: [{ id: nic.id }] },
  };
  const made = await followed(compute.virtualMachines.createOrUpdate(GROUP, "made", wanted));
  assert.deepEqual([made.provisioningState, made.location], ["Succeeded", REGION]);
  const onlyNew = { ifNoneMatch: "*" };
  await refused(compute.virtualMachines.createOrUpdate(GROUP, "made", wanted, onlyNew), 412, "PreconditionFailed");
  await refused(compute.virtualMachines.generalize(GROUP, "made"), 409, "OperationNotAllowed");

  await followed(compute.virtualMachines.deallocate(GROUP, "made"));
  const view = await compute.virtualMachines.instanceView(GROUP, "made");
  assert.ok(view.statuses.some((status) => status.code === "PowerState/deallocated"));
  await compute.virtualMachines.generalize(GROUP, "made");
  await refused(compute.virtualMachines.start(GROUP, "made"), 409, "OperationNotAllowed");

  await refused(compute.disks.delete(GROUP, "made-os"), 409, "OperationNotAllowed");
  await followed(compute.virtualMachines.delete(GROUP, "made"));
  await refused(compute.virtualMachines.get(GROUP, "made"), 404, "ResourceNotFound");
  await followed(compute.disks.delete(GROUP, "made-os"));
});

test("a disk grows and does not shrink", async () => {
  const creationData = { createOption: "Empty" };
  const wanted = { location: REGION, sku: { name: "Premium_LRS" }, creationData, diskSizeGB: 32 };
  const made = await compute.disks.createOrUpdate(GROUP, "growing", wanted);
  assert.deepEqual([made.diskSizeGB, made.tier, made.diskState], [32, "P4", "Unattached"]);
  assert.ok(made.timeCreated instanceof Date);
  const grown = await compute.disks.update(GROUP, "growing", { diskSizeGB: 64, tags: { owner: "me" } });
  assert.deepEqual([grown.diskSizeGB, grown.tier, grown.tags], [64, "P6", { owner: "me" }]);
  await refused(compute.disks.update(GROUP, "growing", { diskSizeGB: 16 }), 400, "BadRequest");
  await compute.disks.delete(GROUP, "growing");
  await compute.disks.delete(GROUP, "growing"); // one that is not there is no error
  await refused(compute.disks.get(GROUP, "growing"), 404, "ResourceNotFound");
});

test("snapshots become a gallery image version", async () => {
  for (const [name, disk] of [["os", "prep-vm_OsDisk_1"], ["data", "prep-vm_DataDisk_0"]]) {
    const body = { location: REGION, creationData: copyOf(disk), incremental: true };
    const snapshot = await compute.snapshots.createOrUpdate(GROUP, name, body);
    assert.deepEqual([snapshot.provisioningState, snapshot.creationData.createOption], ["Succeeded", "Copy"]);
  }
  const gallery = await compute.galleries.createOrUpdate(GROUP, "tools", { location: REGION, description: "images" });
  assert.equal(gallery.identifier.uniqueName.split("-").at(-1), "TOOLS");
  const image = {
    location: REGION,
    osType: "Linux",
    osState: "Generalized",
    hyperVGeneration: "V2",
    architecture: "x64",
    features: [{ name: "SecurityType", value: "TrustedLaunch" }],
    identifier: { publisher: "lab", offer: "tools", sku: "jammy" },
  };
  const definition = await compute.galleryImages.createOrUpdate(GROUP, "tools", "jammy", image);
  assert.equal(definition.provisioningState, "Succeeded");

  const version = {
    location: REGION,
    publishingProfile: { targetRegions: [{ name: REGION, regionalReplicaCount: 2 }], excludeFromLatest: true },
    storageProfile: {
      osDiskImage: { source: resource("snapshots/os") },
      dataDiskImages: [{ lun: 0, source: resource("snapshots/data") }],
    },
  };
  const poller = compute.galleryImageVersions.createOrUpdate(GROUP, "tools", "jammy", "1.0.0", version);
  await poller.submitted();
  const status = { expand: "ReplicationStatus" };
  const under = await compute.galleryImageVersions.get(GROUP, "tools", "jammy", "1.0.0", status);
  assert.equal(under.provisioningState, "Creating");
  const made = await poller.pollUntilDone();
  assert.equal(made.provisioningState, "Succeeded");
  assert.equal(made.storageProfile.dataDiskImages[0].sizeInGB, 256);
  const done = await compute.galleryImageVersions.get(GROUP, "tools", "jammy", "1.0.0", status);
  assert.deepEqual(done.replicationStatus.summary.map((one) => [one.region, one.state]), [["East US", "Completed"]]);
  const listed = await all(compute.galleryImageVersions.listByGalleryImage(GROUP, "tools", "jammy"));
  assert.deepEqual(listed.map((one) => one.name), ["1.0.0"]);

  await refused(compute.galleries.delete(GROUP, "tools"), 409, "CannotDeleteResource");
  await refused(compute.galleryImages.delete(GROUP, "tools", "jammy"), 409, "CannotDeleteResource");
  const unsourced = { ...version, storageProfile: { osDiskImage: { source: resource("snapshots/none") } } };
  const sourceless = compute.galleryImageVersions.createOrUpdate(GROUP, "tools", "jammy", "1.0.1", unsourced);
  assert.match((await refused(sourceless, 404, "NotFound")).message, /Resource none is not found/);

  await followed(compute.galleryImageVersions.delete(GROUP, "tools", "jammy", "1.0.0"));
  await deleted(() => compute.galleryImages.delete(GROUP, "tools", "jammy"));
  await deleted(() => compute.galleries.delete(GROUP, "tools"));
  for (const name of ["os", "data"]) await compute.snapshots.delete(GROUP, name);
  assert.deepEqual(await all(compute.snapshots.listByResourceGroup(GROUP)), []);
});
