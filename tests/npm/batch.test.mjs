// @azure/batch: pools and nodes on the data plane. This client has no pollers: who waits asks again.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BatchServiceClient, BatchSharedKeyCredentials } from "@azure/batch";

import { ACCOUNT, batch, GROUP, management, refused, until } from "./connection.mjs";

const MACHINE = {
  imageReference: { publisher: "canonical", offer: "0001-com-ubuntu-server-jammy", sku: "22_04-lts" },
  nodeAgentSKUId: "batch.node.ubuntu 22.04",
};
const pool = (id, more) => ({ id, vmSize: "standard_d2s_v3", virtualMachineConfiguration: MACHINE, ...more });
const steady = (id) => until(() => batch.pool.get(id), (one) => one.allocationState === "steady");
const gone = (id) => until(() => batch.pool.exists(id), (answer) => answer.body === false);

test("a pool is made, resized and deleted", async () => {
  const made = await batch.pool.add(pool("p", { targetDedicatedNodes: 2, targetLowPriorityNodes: 1 }));
  assert.equal(made._response.status, 201);
  await refused(batch.pool.add(pool("P")), 409, "PoolExists");
  await refused(batch.pool.resize("p", { targetDedicatedNodes: 9 }), 409, "PoolBeingResized");
  const before = await steady("p");
  assert.deepEqual([before.currentDedicatedNodes, before.currentLowPriorityNodes], [2, 1]);
  assert.ok(before.creationTime instanceof Date);

  const targets = { targetDedicatedNodes: 5, targetLowPriorityNodes: 0 };
  await refused(batch.pool.resize("p", targets, { poolResizeOptions: { ifMatch: '"0x1"' } }), 412, "ConditionNotMet");
  await refused(batch.pool.resize("p", { ...targets, resizeTimeout: "PT1M" }), 400, "InvalidPropertyValue");
  await batch.pool.resize("p", targets, { poolResizeOptions: { ifMatch: before.eTag } });
  const after = await steady("p");
  assert.deepEqual([after.currentDedicatedNodes, after.currentLowPriorityNodes], [5, 0]);
  assert.equal(after.resizeErrors, undefined);

  await batch.pool.deleteMethod("p");
  await gone("p");
  const error = await refused(batch.pool.get("p"), 404, "PoolNotFound");
  assert.match(error.body.message.value, /^The specified pool does not exist\.\nRequestId:/);
});

test("nodes are listed, counted, restarted and removed", async () => {
  await batch.pool.add(pool("n", { targetDedicatedNodes: 3 }));
  await steady("n");
  const nodes = await until(
    () => batch.computeNode.list("n"),
    (listed) => listed.length === 3 && listed.every((node) => node.state === "idle"),
  );
  assert.ok(nodes.every((node) => node.isDedicated && /^tvmps_[0-9a-f]{64}_d$/.test(node.id)));
  const only = { accountListPoolNodeCountsOptions: { filter: "poolId eq 'n'" } };
  const [counts] = await until( // they lag
    () => batch.account.listPoolNodeCounts(only),
    ([counted]) => counted?.dedicated.idle === 3,
  );
  assert.deepEqual([counts.poolId, counts.dedicated.total, counts.lowPriority.total], ["n", 3, 0]);

  const listing = { computeNodeListOptions: { maxResults: 2, select: "id" } };
  const first = await batch.computeNode.list("n", listing);
  assert.equal(first.length, 2);
  const rest = await batch.computeNode.listNext(first.odatanextLink);
  assert.deepEqual([...first, ...rest].map((node) => node.id).sort(), nodes.map((node) => node.id).sort());
  assert.equal(first[0].state, undefined);

  await batch.computeNode.reboot("n", nodes[0].id);
  assert.notEqual((await batch.computeNode.get("n", nodes[0].id)).state, "idle");
  await refused(batch.computeNode.reboot("n", nodes[0].id), 409, "NodeBeingRebooted");
  await refused(batch.computeNode.get("n", "tvmps_none_d"), 404, "NodeNotFound");
  await batch.pool.removeNodes("n", { nodeList: [nodes[1].id] });
  const left = await steady("n");
  assert.deepEqual([left.currentDedicatedNodes, left.targetDedicatedNodes], [2, 2]);
  await batch.pool.deleteMethod("n");
  await gone("n");
});

test("a formula sets the targets", async () => {
  await batch.pool.add(pool("a", { targetDedicatedNodes: 0 }));
  await steady("a");
  await refused(batch.pool.evaluateAutoScale("a", "$TargetDedicatedNodes=1;"), 409, "OperationInvalidForCurrentState");
  await batch.pool.enableAutoScale("a", {
    autoScaleFormula: "$TargetDedicatedNodes = 2;",
    autoScaleEvaluationInterval: "PT5M",
  });
  await refused(batch.pool.resize("a", { targetDedicatedNodes: 1 }), 409, "OperationInvalidForCurrentState");
  const scaled = await until(() => batch.pool.get("a"), (one) => one.currentDedicatedNodes === 2);
  assert.match(scaled.autoScaleRun.results, /\$TargetDedicatedNodes=2/);
  const run = await batch.pool.evaluateAutoScale("a", "$TargetDedicatedNodes = 3;");
  assert.match(run.results, /\$TargetDedicatedNodes=3/);
  const wrong = await batch.pool.evaluateAutoScale("a", "$TargetDedicatedNodes = nothing;");
  assert.equal(wrong.error.code, "AutoScalingFormulaEvaluationError");
  await batch.pool.disableAutoScale("a");
  assert.equal((await batch.pool.get("a")).enableAutoScale, false);
  await batch.pool.deleteMethod("a");
  await gone("a");
});

test("pools are listed, and images for them", async () => {
  for (const id of ["l1", "l2", "l3"]) await batch.pool.add(pool(id, { metadata: [{ name: "project", value: id }] }));
  const first = await batch.pool.list({ poolListOptions: { maxResults: 2, filter: "startswith(id, 'l')" } });
  const rest = await batch.pool.listNext(first.odatanextLink);
  assert.deepEqual([...first, ...rest].map((one) => one.metadata[0].value), ["l1", "l2", "l3"]);
  const images = await batch.account.listSupportedImages();
  assert.ok(images.some((one) => one.nodeAgentSKUId === MACHINE.nodeAgentSKUId && one.osType === "linux"));
  for (const id of ["l1", "l2", "l3"]) await batch.pool.deleteMethod(id);
});

test("an account's key opens what needs no Entra ID", async () => {
  const { primary } = await management.batchAccountOperations.getKeys(GROUP, ACCOUNT);
  const signing = (key) =>
    new BatchServiceClient(new BatchSharedKeyCredentials(ACCOUNT, key), new URL(process.env.AZURE_BATCH_ENDPOINT).origin);
  assert.ok((await signing(primary).account.listSupportedImages()).length > 0);
  const another = Buffer.from("another").toString("base64");
  await refused(signing(another).account.listSupportedImages(), 403, "AuthenticationFailed");
});
