// The clients of one account, made of nothing but the environment that `batchimg emulator` prints.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

import { BatchManagementClient } from "@azure/arm-batch";
import { ComputeManagementClient } from "@azure/arm-compute";
import { NetworkManagementClient } from "@azure/arm-network";
import { BatchServiceClient } from "@azure/batch";
import { EnvironmentCredential } from "@azure/identity";
import { AzureIdentityCredentialAdapter } from "@azure/ms-rest-js";

const {
  AZURE_BATCH_ACCOUNT,
  AZURE_BATCH_ENDPOINT,
  AZURE_RESOURCE_MANAGER,
  AZURE_SUBSCRIPTION_ID,
} = process.env;

export const GROUP = "research";
export const REGION = "eastus";
export const ACCOUNT = AZURE_BATCH_ACCOUNT;
export const PROVIDERS = `/subscriptions/${AZURE_SUBSCRIPTION_ID}/resourceGroups/${GROUP}/providers`;

// Without this option the sign-in library asks Microsoft's own host whether it knows ours.
export const credential = new EnvironmentCredential({ disableInstanceDiscovery: true });
export const compute = new ComputeManagementClient(credential, AZURE_SUBSCRIPTION_ID, {
  endpoint: AZURE_RESOURCE_MANAGER,
});
export const network = new NetworkManagementClient(credential, AZURE_SUBSCRIPTION_ID, {
  endpoint: AZURE_RESOURCE_MANAGER,
});
export const management = new BatchManagementClient(credential, AZURE_SUBSCRIPTION_ID, {
  endpoint: AZURE_RESOURCE_MANAGER,
  // This client makes a scope of its endpoint, and Resource Manager has but one audience.
  credentialScopes: "https://management.azure.com/.default",
});
export const batch = new BatchServiceClient(
  new AzureIdentityCredentialAdapter(credential, "https://batch.core.windows.net//.default"),
  new URL(AZURE_BATCH_ENDPOINT).origin, // this client drops an endpoint's path
);

/** Return all that a client lists, page after page. */
export async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

/** Ask until the answer is as wanted, and return it. */
export async function until(ask, wanted, patience = 60_000) {
  const late = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    assert.ok(Date.now() < late, `still ${JSON.stringify(answer)}`);
    await pause(100);
  }
}

/** Delete what cannot be deleted until the last resource in it is gone for a while. */
export async function deleted(remove) {
  const gone = () => remove().then(() => true, (error) => assert.equal(error.code, "CannotDeleteResource"));
  await until(gone, (answer) => answer === true);
}

/** See that an answer is a refusal, and return it as the client shows it. */
export async function refused(asked, status, code) {
  try {
    await asked;
  } catch (error) {
    assert.deepEqual([error.statusCode, error.code], [status, code], error.message);
    return error;
  }
  assert.fail(`answered, and ${status} ${code} was to be expected`);
}
