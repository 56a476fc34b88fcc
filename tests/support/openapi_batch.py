"""A Batch account with one resource of each type, and a valid request of each described operation."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from tests.support.batch_emulator import MACHINE, BatchEmulator
from tests.support.openapi import Exchange, Operation

HOSTS = {"batch": f"{ACCOUNT}.{REGION}.batch.azure.com", "arm": "management.azure.com"}


_SCHEDULE: dict[str, Any] = {
    "schedule": {"doNotRunAfter": "2027-01-01T00:00:00Z", "startWindow": "PT5M", "recurrenceInterval": "PT1H"},
    "jobSpecification": {"poolInfo": {"poolId": "full"}, "jobManagerTask": {"id": "m", "commandLine": "true"}},
    "metadata": [{"name": "a", "value": "b"}],
}


def prepared() -> BatchEmulator:
    """Return an account with pools of each kind, and a job with completed, running and waiting tasks."""
    made = BatchEmulator()
    made.create_pool(
        dedicated=2,
        spot=1,
        metadata=[{"name": "a", "value": "b"}],
        startTask={"commandLine": "/bin/sh -c 'exit 1'"},
        networkConfiguration={},
        userAccounts=[{"name": "u", "password": "p"}],
    )
    made.create_pool("full", 600, vmSize="Standard_D2s_v5")
    made.create_pool("auto", enableAutoScale=True, autoScaleFormula="$TargetDedicatedNodes=1;x=nothing")
    made.create_pool("work", 1)
    ssh = {"name": "ssh", "protocol": "tcp", "backendPort": 22}
    ports = {"frontendPortRangeStart": 15_000, "frontendPortRangeEnd": 15_099}
    made.create_pool("wide", 2, networkConfiguration={"endpointConfiguration": {"inboundNATPools": [ssh | ports]}})
    made.wait_until_steady("work")
    made.clock.advance(900)
    made.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "work"}})
    for name, command in (("f", "exit 2"), ("t", "sleep 900"), ("w", "sleep 900")):
        made.batch("POST", "/jobs/j/tasks", {"id": name, "commandLine": command})
    own = {"jobPreparationTask": {"commandLine": "exit 1"}, "jobReleaseTask": {"commandLine": "true"}}
    made.batch("POST", "/jobs", {"id": "prepared", "poolInfo": {"poolId": "wide"}} | own)
    many = {"numberOfInstances": 3, "coordinationCommandLine": "true"}
    for job, more in (("j", {"multiInstanceSettings": many}), ("prepared", {})):
        made.batch("POST", f"/jobs/{job}/tasks", {"id": "many", "commandLine": "sleep 900"} | more)
    again = {"recurrenceInterval": "PT10M"}
    made.batch("POST", "/jobschedules", _SCHEDULE | {"id": "s", "schedule": again})
    made.batch("POST", f"/pools/work/nodes/{made.nodes('work')[0]['id']}/users", {"name": "guest"})
    made.arm("PUT", "/applications/tool", {"properties": {"displayName": "Tool"}})
    for version in ("1.0", "2.0"):
        made.arm("PUT", f"/applications/tool/versions/{version}")
    made.arm("POST", "/applications/tool/versions/1.0/activate", {"format": "zip"})
    made.clock.advance(60)
    return made


@functools.cache
def _nodes() -> dict[str, str]:
    """Return the first node of each pool; the ids are the same each time."""
    made = prepared()
    return {pool: made.nodes(pool)[0]["id"] for pool in ("p", "work", "wide")}


_POOL: dict[str, Any] = {
    "id": "new",
    "vmSize": "Standard_D2s_v3",
    "virtualMachineConfiguration": MACHINE,
    "targetDedicatedNodes": 1,
}
_TASK = {"id": "new", "commandLine": "true"}
_FORMULA = {"autoScaleFormula": "$TargetDedicatedNodes = 2"}
_UPLOAD = {"containerUrl": "https://x.blob.core.windows.net/logs", "startTime": "2026-07-01T00:00:00Z"}
_CHANGES: dict[str, Any] = {
    "startTask": {"commandLine": "true"},
    "metadata": [{"name": "x", "value": "y"}],
    "certificateReferences": [],
    "applicationPackageReferences": [],
    "targetNodeCommunicationMode": "classic",
}
#: operationId of the data plane -> good requests.
DATA_PLANE: dict[str, list[Exchange]] = {
    "Account_ListPoolNodeCounts": [Exchange(query={"$filter": "poolId eq 'p'"})],
    "Account_ListSupportedImages": [Exchange(query={"maxresults": "5"})],
    "Application_Get": [Exchange(), Exchange(404, {"applicationId": "none"})],
    "Application_List": [Exchange()],
    "ComputeNodeExtension_Get": [Exchange(names={"extensionName": "batchNodeExtension"})],
    "ComputeNodeExtension_List": [Exchange(), Exchange(query={"$select": "provisioningState"})],
    "ComputeNode_AddUser": [Exchange(201, body={"name": "u", "isAdmin": True, "expiryTime": "2026-07-02T00:00:00Z"})],
    "ComputeNode_DeleteUser": [Exchange(), Exchange(404, {"userName": "none"})],
    "ComputeNode_DisableScheduling": [Exchange(body={"nodeDisableSchedulingOption": "taskcompletion"})],
    "ComputeNode_EnableScheduling": [Exchange(409)],
    "ComputeNode_Get": [Exchange(), Exchange(query={"$select": "id,state"}), Exchange(names={"poolId": "p"})],
    "ComputeNode_GetRemoteLoginSettings": [Exchange(names={"poolId": "wide"})],
    "ComputeNode_List": [Exchange(), Exchange(names={"poolId": "p"}), Exchange(query={"maxresults": "1"})],
    "ComputeNode_Reboot": [Exchange(202, body={"nodeRebootOption": "requeue"})],
    "ComputeNode_Reimage": [Exchange(409)],
    "ComputeNode_UpdateUser": [Exchange(body={"password": "another"})],
    "ComputeNode_UploadBatchServiceLogs": [Exchange(body=_UPLOAD)],
    "File_DeleteFromComputeNode": [Exchange(names={"poolId": "p", "filePath": "startup/stdout.txt"})],
    "File_DeleteFromTask": [Exchange(names={"taskId": "f", "filePath": "stderr.txt"})],
    "File_GetFromComputeNode": [Exchange(names={"poolId": "p", "filePath": "startup/stdout.txt"})],
    "File_GetFromTask": [Exchange(names={"taskId": "f", "filePath": "stderr.txt"})],
    "File_GetPropertiesFromComputeNode": [Exchange(names={"poolId": "p", "filePath": "startup/stdout.txt"})],
    "File_GetPropertiesFromTask": [Exchange(names={"taskId": "f", "filePath": "stderr.txt"})],
    "File_ListFromComputeNode": [Exchange(names={"poolId": "p"}, query={"recursive": "true"})],
    "File_ListFromTask": [Exchange(names={"taskId": "f"})],
    "JobSchedule_Add": [Exchange(201, body=_SCHEDULE | {"id": "new"})],
    "JobSchedule_Delete": [Exchange(202)],
    "JobSchedule_Disable": [Exchange(204)],
    "JobSchedule_Enable": [Exchange(204)],
    "JobSchedule_Exists": [Exchange(), Exchange(404, {"jobScheduleId": "none"})],
    "JobSchedule_Get": [Exchange(), Exchange(query={"$select": "id,state"})],
    "JobSchedule_List": [Exchange(), Exchange(query={"$filter": "state eq 'active'"})],
    "JobSchedule_Patch": [Exchange(body={"metadata": []})],
    "JobSchedule_Terminate": [Exchange(202)],
    "JobSchedule_Update": [Exchange(body=_SCHEDULE)],
    "Job_ListFromJobSchedule": [Exchange()],
    "Job_Add": [Exchange(201, body={"id": "new", "poolInfo": {"poolId": "p"}, "priority": 5})],
    "Job_Delete": [Exchange(202)],
    "Job_Disable": [Exchange(202, body={"disableTasks": "requeue"})],
    "Job_Enable": [Exchange(202)],
    "Job_Get": [Exchange(), Exchange(query={"$select": "id"})],
    "Job_GetTaskCounts": [Exchange()],
    "Job_List": [Exchange()],
    "Job_Patch": [Exchange(body={"priority": 7, "constraints": {"maxWallClockTime": "PT1H"}})],
    "Job_Terminate": [Exchange(202, body={"terminateReason": "enough"})],
    "Job_Update": [Exchange(body={"poolInfo": {"poolId": "work"}})],
    "Job_ListPreparationAndReleaseTaskStatus": [Exchange(names={"jobId": "prepared"}), Exchange(409)],
    "Pool_Add": [Exchange(201, body=_POOL)],
    "Pool_Delete": [Exchange(202)],
    "Pool_DisableAutoScale": [Exchange(names={"poolId": "auto"})],
    "Pool_EnableAutoScale": [Exchange(body=_FORMULA | {"autoScaleEvaluationInterval": "PT10M"})],
    "Pool_EvaluateAutoScale": [
        Exchange(names={"poolId": "auto"}, body=_FORMULA),
        Exchange(names={"poolId": "auto"}, body={"autoScaleFormula": "x = nothing"}),
    ],
    "Pool_Exists": [Exchange()],
    "Pool_Get": [Exchange(names={"poolId": name}) for name in ("p", "full", "auto", "work")],
    "Pool_List": [Exchange(), Exchange(query={"$filter": "startswith(id, 'a')"})],
    "Pool_ListUsageMetrics": [
        Exchange(),
        Exchange(query={"starttime": "2026-07-01T06:00:00Z", "endtime": "2026-07-01T07:00:00Z"}),
    ],
    "Pool_Patch": [Exchange(body=_CHANGES)],
    "Pool_RemoveNodes": [Exchange(202, {"poolId": "wide"}, {"nodeList": []})],
    "Pool_Resize": [Exchange(202, body={"targetDedicatedNodes": 3, "targetLowPriorityNodes": 1})],
    "Pool_StopResize": [Exchange(202, {"poolId": "full"})],
    "Pool_UpdateProperties": [Exchange(204, body=_CHANGES)],
    "Task_Add": [Exchange(201, body=_TASK)],
    "Task_AddCollection": [Exchange(body={"value": [_TASK, _TASK]})],
    "Task_Delete": [Exchange()],
    "Task_Get": [Exchange(names={"taskId": name}) for name in ("f", "t", "w")],
    "Task_List": [Exchange()],
    "Task_ListSubtasks": [Exchange(names={"taskId": name}) for name in ("t", "many")],
    "Task_Reactivate": [Exchange(204, {"taskId": "f"})],
    "Task_Update": [Exchange(body={"constraints": {"maxWallClockTime": "PT1H"}})],
    "Task_Terminate": [Exchange(204)],
}
_ON_ARM = {
    "vmSize": "STANDARD_D2S_V3",
    "deploymentConfiguration": {
        "virtualMachineConfiguration": {
            "imageReference": MACHINE["imageReference"],
            "nodeAgentSkuId": "batch.node.ubuntu 22.04",
        }
    },
    "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 1, "targetLowPriorityNodes": 0, "resizeTimeout": "PT20M"}},
    "startTask": {"commandLine": "true", "waitForSuccess": True},
    "metadata": [{"name": "a", "value": "b"}],
}
#: operationId of Resource Manager -> good requests.
ON_ARM: dict[str, list[Exchange]] = {
    "ApplicationPackage_Activate": [Exchange(body={"format": "zip"})],
    "ApplicationPackage_Create": [Exchange(names={"versionName": "3.0"}, body={"properties": {}})],
    "ApplicationPackage_Delete": [Exchange(), Exchange(204, {"versionName": "none"})],
    "ApplicationPackage_Get": [Exchange(), Exchange(names={"versionName": "1.0"})],
    "ApplicationPackage_List": [Exchange()],
    "Application_Create": [Exchange(names={"applicationName": "new"}, body={"properties": {"allowUpdates": True}})],
    "Application_Delete": [Exchange(204, {"applicationName": "none"})],
    "Application_Get": [Exchange()],
    "Application_List": [Exchange()],
    "Application_Update": [Exchange(body={"properties": {"defaultVersion": "1.0"}})],
    "BatchAccount_Create": [
        Exchange(202, {"accountName": "fresh"}, {"location": "eastus", "tags": {"a": "b"}}),
        Exchange(200, {}, {"location": "eastus", "tags": {"a": "b"}}),
    ],
    "BatchAccount_Delete": [Exchange(202), Exchange(204, {"accountName": "none"})],
    "BatchAccount_Get": [Exchange()],
    "BatchAccount_GetKeys": [Exchange()],
    "BatchAccount_List": [Exchange()],
    "Operations_List": [Exchange()],
    "BatchAccount_ListByResourceGroup": [Exchange()],
    "BatchAccount_RegenerateKey": [Exchange(body={"keyName": "Primary"})],
    "BatchAccount_Update": [Exchange(body={"tags": {"a": "b"}, "properties": {"publicNetworkAccess": "Disabled"}})],
    "BatchAccount_ListOutboundNetworkDependenciesEndpoints": [Exchange()],
    "BatchAccount_SynchronizeAutoStorageKeys": [Exchange(409)],
    "Location_CheckNameAvailability": [
        Exchange(body={"name": "free", "type": "Microsoft.Batch/batchAccounts"}),
        Exchange(body={"name": ACCOUNT, "type": "Microsoft.Batch/batchAccounts"}),
    ],
    "Location_GetQuotas": [Exchange()],
    "Location_ListSupportedVirtualMachineSkus": [Exchange()],
    "PrivateEndpointConnection_Delete": [Exchange(204)],
    "PrivateEndpointConnection_Get": [Exchange(404)],
    "PrivateEndpointConnection_ListByBatchAccount": [Exchange()],
    "PrivateEndpointConnection_Update": [Exchange(404, body={"properties": {}})],
    "PrivateLinkResource_Get": [Exchange(), Exchange(404, {"privateLinkResourceName": "none"})],
    "PrivateLinkResource_ListByBatchAccount": [Exchange()],
    "Pool_Create": [Exchange(names={"poolName": "new"}, body={"properties": _ON_ARM})],
    "Pool_Delete": [Exchange(202), Exchange(204, {"poolName": "none"})],
    "Pool_DisableAutoScale": [Exchange(names={"poolName": "auto"})],
    "Pool_Get": [Exchange(names={"poolName": name}) for name in ("p", "full", "auto", "work")],
    "Pool_ListByBatchAccount": [Exchange(), Exchange(query={"maxresults": "1"})],
    "Pool_StopResize": [Exchange(names={"poolName": "full"})],
    "Pool_Update": [Exchange(body={"properties": {"metadata": [], "scaleSettings": _ON_ARM["scaleSettings"]}})],
}
#: What a path names where a request says nothing else.
NAMES = {
    "subscriptionId": SUBSCRIPTION,
    "resourceGroupName": GROUP,
    "accountName": ACCOUNT,
    "locationName": REGION,
    "poolId": "work",
    "poolName": "work",
    "jobId": "j",
    "jobScheduleId": "s",
    "privateEndpointConnectionName": "none",
    "privateLinkResourceName": "nodeManagement",
    "applicationId": "tool",
    "taskId": "t",
    "userName": "guest",
    "applicationName": "tool",
    "versionName": "2.0",
}


def table(operations: list[Operation]) -> dict[Operation, list[Exchange]]:
    """Return valid requests of some operations."""
    tables = {"batch": DATA_PLANE, "arm": ON_ARM}
    return {one: [_whole(exchange) for exchange in tables[one.plane][one.name]] for one in operations}


def _whole(exchange: Exchange) -> Exchange:
    """Return a request with everything that a path names, and a node of its pool."""
    names = NAMES | exchange.names
    names |= {"nodeId": _nodes().get(names["poolId"], "none")}
    removed = {"nodeList": [names["nodeId"]]} if exchange.body == {"nodeList": []} else exchange.body
    return dataclasses.replace(exchange, names=names, body=removed)
