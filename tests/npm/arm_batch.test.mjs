// @azure/arm-batch: accounts and pools in Azure Resource Manager, followed by the client's own pollers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ACCOUNT, all, GROUP, management, refused, REGION, until } from "./connection.mjs";

const { batchAccountOperations: accounts, location, poolOperations: pools } = management;
const POOL = {
  vmSize: "STANDARD_D2S_V3",
  deploymentConfiguration: {
    virtualMachineConfiguration: {
      imageReference: { publisher: "canonical", offer: "0001-com-ubuntu-server-jammy", sku: "22_04-lts" },
      nodeAgentSkuId: "batch.node.ubuntu 22.04",
    },
  },
  scaleSettings: { fixedScale: { targetDedicatedNodes: 2, targetLowPriorityNodes: 0 } },
};
const fixed = (dedicated) => ({
  scaleSettings: { fixedScale: { targetDedicatedNodes: dedicated, targetLowPriorityNodes: 0, resizeTimeout: "PT15M" } },
});
const steady = (name) => until(() => pools.get(GROUP, ACCOUNT, name), (pool) => pool.allocationState === "Steady");

test("an account is made, changed and deleted", async () => {
  const asked = { name: "npmaccount", type: "Microsoft.Batch/batchAccounts" };
  assert.equal((await location.checkNameAvailability(REGION, asked)).nameAvailable, true);
  const poller = await accounts.beginCreate(GROUP, "npmaccount", { location: REGION, tags: { owner: "me" } });
  const made = await poller.pollUntilDone();
  assert.deepEqual([made.provisioningState, made.poolAllocationMode], ["Succeeded", "BatchService"]);
  assert.equal(`https://${made.accountEndpoint}`, process.env.AZURE_BATCH_ENDPOINT.replace(ACCOUNT, "npmaccount"));
  assert.ok(made.dedicatedCoreQuotaPerVMFamily.some((family) => family.coreQuota > 0));
  const taken = await location.checkNameAvailability(REGION, asked);
  assert.deepEqual([taken.nameAvailable, taken.reason], [false, "AlreadyExists"]);
  const changed = await accounts.update(GROUP, "npmaccount", { tags: { owner: "you" } });
  assert.deepEqual(changed.tags, { owner: "you" });
  assert.ok((await all(accounts.list())).some((one) => one.name === "npmaccount"));
  assert.ok((await all(accounts.listByResourceGroup(GROUP))).some((one) => one.name === ACCOUNT));
  await refused(accounts.beginCreateAndWait(GROUP, "no", { location: REGION }), 400, "InvalidAccountName");
  await accounts.beginDeleteAndWait(GROUP, "npmaccount");
  await refused(accounts.get(GROUP, "npmaccount"), 404, "ResourceNotFound");
});

test("keys, quotas and sizes", async () => {
  const keys = await accounts.getKeys(GROUP, ACCOUNT);
  const fresh = await accounts.regenerateKey(GROUP, ACCOUNT, { keyName: "Secondary" });
  assert.deepEqual([fresh.primary, fresh.secondary === keys.secondary], [keys.primary, false]);
  assert.ok((await location.getQuotas(REGION)).accountQuota > 0);
  const sizes = await all(location.listSupportedVirtualMachineSkus(REGION));
  const size = sizes.find((one) => one.name === "Standard_D2s_v3");
  assert.equal(size.capabilities.find((one) => one.name === "vCPUs").value, "2");
});

test("a pool is made, resized, stopped and deleted", async () => {
  await refused(pools.get(GROUP, ACCOUNT, "arm"), 404, "PoolNotFound");
  const made = await pools.create(GROUP, ACCOUNT, "arm", POOL, { ifNoneMatch: "*" });
  assert.deepEqual([made.provisioningState, made.allocationState], ["Succeeded", "Resizing"]);
  assert.ok(made.creationTime instanceof Date);
  await refused(pools.create(GROUP, ACCOUNT, "arm", POOL, { ifNoneMatch: "*" }), 412, "ConditionNotMet");
  await refused(pools.update(GROUP, ACCOUNT, "arm", fixed(3)), 409, "PoolBeingResized");
  const there = await steady("arm");
  assert.equal(there.currentDedicatedNodes, 2);
  await refused(pools.update(GROUP, ACCOUNT, "arm", fixed(3), { ifMatch: '"0x1"' }), 412, "ConditionNotMet");

  await pools.update(GROUP, ACCOUNT, "arm", fixed(40), { ifMatch: there.etag });
  await pools.stopResize(GROUP, ACCOUNT, "arm");
  const stopped = await steady("arm");
  assert.equal(stopped.resizeOperationStatus.errors[0].code, "ResizeStopped");
  const scaled = await pools.update(GROUP, ACCOUNT, "arm", {
    scaleSettings: { autoScale: { formula: "$TargetDedicatedNodes = 1;", evaluationInterval: "PT5M" } },
  });
  assert.equal(scaled.scaleSettings.autoScale.evaluationInterval, "PT5M");
  assert.equal((await pools.disableAutoScale(GROUP, ACCOUNT, "arm")).scaleSettings.autoScale, undefined);
  assert.ok((await all(pools.listByBatchAccount(GROUP, ACCOUNT))).some((one) => one.name === "arm"));

  await pools.beginDeleteAndWait(GROUP, ACCOUNT, "arm");
  await refused(pools.get(GROUP, ACCOUNT, "arm"), 404, "PoolNotFound");
});
