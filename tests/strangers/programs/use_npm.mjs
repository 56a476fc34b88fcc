// The chain of the job with npm's clients, as their pages begin: no endpoint, no option but the credential.
import { BatchManagementClient } from "@azure/arm-batch";
import { ComputeManagementClient } from "@azure/arm-compute";
import { NetworkManagementClient } from "@azure/arm-network";
import { ResourceManagementClient } from "@azure/arm-resources";
import { BatchServiceClient } from "@azure/batch";
import { DefaultAzureCredential } from "@azure/identity";
import { AzureIdentityCredentialAdapter } from "@azure/ms-rest-js";

const { AZURE_BATCH_ENDPOINT: endpoint, AZURE_SUBSCRIPTION_ID: subscription } = process.env;
const [group, region, account] = ["research", "eastus", "genomicsbatch"];
const credential = new DefaultAzureCredential();
const compute = new ComputeManagementClient(credential, subscription);
const management = new BatchManagementClient(credential, subscription);
const batch = new BatchServiceClient(
  new AzureIdentityCredentialAdapter(credential, "https://batch.core.windows.net//.default"),
  endpoint,
);

const seen = {};
async function names(pages) {
  const found = [];
  for await (const one of pages) found.push(one.name);
  return found.sort();
}

seen.groups = await names(new ResourceManagementClient(credential, subscription).resourceGroups.list());
seen.networks = await names(new NetworkManagementClient(credential, subscription).virtualNetworks.listAll());
seen.vms = await names(compute.virtualMachines.listAll());

const vm = await compute.virtualMachines.get(group, "gen1-vm");
const snapshot = await compute.snapshots.beginCreateOrUpdateAndWait(group, "npm-tools", {
  location: region,
  creationData: { createOption: "Copy", sourceResourceId: vm.storageProfile.osDisk.managedDisk.id },
});
await compute.galleries.beginCreateOrUpdateAndWait(group, "npm", { location: region });
await compute.galleryImages.beginCreateOrUpdateAndWait(group, "npm", "tools", {
  location: region,
  osType: "Linux",
  osState: "Generalized",
  hyperVGeneration: "V1",
  identifier: { publisher: "me", offer: "tools", sku: "v1" },
});
const version = await compute.galleryImageVersions.beginCreateOrUpdateAndWait(group, "npm", "tools", "1.0.0", {
  location: region,
  storageProfile: { osDiskImage: { source: { id: snapshot.id } } },
  publishingProfile: { targetRegions: [{ name: region, regionalReplicaCount: 1 }] },
});
seen.version = version.provisioningState;

await management.poolOperations.create(group, account, "npm", {
  vmSize: "STANDARD_D2S_V3",
  deploymentConfiguration: {
    virtualMachineConfiguration: { imageReference: { id: version.id }, nodeAgentSkuId: "batch.node.ubuntu 22.04" },
  },
  scaleSettings: { fixedScale: { targetDedicatedNodes: 2 } },
});
seen.pool = (await batch.pool.get("npm")).allocationState;
const nodes = [];
for (let page = await batch.computeNode.list("npm"); ; page = await batch.computeNode.listNext(page.odatanextLink)) {
  nodes.push(...page);
  if (!page.odatanextLink) break;
}
seen.nodes = nodes.map((node) => node.state);
await batch.pool.deleteMethod("npm");
await compute.galleryImageVersions.beginDeleteAndWait(group, "npm", "tools", "1.0.0");
await compute.snapshots.beginDeleteAndWait(group, "npm-tools");
seen.left = await names(compute.snapshots.list());
console.log(JSON.stringify(seen));
