"""The emulator has every operation and route that is needed from a prepared VM to a pool."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re

import pytest

from batchimg_magics import emulator
from batchimg_magics.emulator import app
from batchimg_magics.emulator.http.messages import Routes
from docs.generate import coverage
from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

_CRUD = "begin_create_or_update begin_update begin_delete get"
#: What was asked for, by client and group of operations.
ASKED = {
    ("azure-mgmt-compute", "virtual_machines"): (
        f"{_CRUD} list list_all instance_view begin_deallocate begin_power_off begin_start generalize begin_run_command"
    ),
    ("azure-mgmt-compute", "disks"): f"{_CRUD} list list_by_resource_group begin_grant_access begin_revoke_access",
    ("azure-mgmt-compute", "snapshots"): f"{_CRUD} list list_by_resource_group begin_grant_access begin_revoke_access",
    ("azure-mgmt-compute", "images"): f"{_CRUD} list list_by_resource_group",
    ("azure-mgmt-compute", "galleries"): f"{_CRUD} list list_by_resource_group",
    ("azure-mgmt-compute", "gallery_images"): f"{_CRUD} list_by_gallery",
    ("azure-mgmt-compute", "gallery_image_versions"): f"{_CRUD} list_by_gallery_image",
    ("azure-mgmt-compute", "resource_skus"): "list",
    ("azure-mgmt-compute", "usage"): "list",
    ("azure-mgmt-compute", "virtual_machine_sizes"): "list",
    ("azure-mgmt-batch", "batch_account"): "begin_create update begin_delete get list list_by_resource_group get_keys",
    ("azure-mgmt-batch", "pool"): "create update begin_delete get list_by_batch_account stop_resize disable_auto_scale",
    ("azure-mgmt-batch", "location"): "get_quotas list_supported_virtual_machine_skus check_name_availability",
    ("azure-batch", ""): (
        "create_pool get_pool list_pools pool_exists update_pool replace_pool_properties begin_delete_pool "
        "begin_resize_pool begin_stop_pool_resize begin_remove_nodes "
        "enable_pool_auto_scale disable_pool_auto_scale evaluate_pool_auto_scale "
        "list_nodes get_node begin_reboot_node begin_reimage_node begin_deallocate_node begin_start_node "
        "disable_node_scheduling enable_node_scheduling get_node_remote_login_settings upload_node_logs "
        "list_node_files download_node_file get_node_file_properties list_pool_node_counts list_supported_images "
        "create_job get_job list_jobs begin_terminate_job begin_delete_job "
        "create_task create_tasks create_task_collection get_task list_tasks terminate_task delete_task"
    ),
}
_MICROSOFT = "https://login.microsoftonline.com/common"
_NETWORK = f"{IN_GROUP}/providers/Microsoft.Network"
_PERMISSIONS = "providers/Microsoft.Authorization/permissions"
#: Routes that none of these three clients uses; with the default resources all of them answer.
AROUND = (
    (f"{ARM}/subscriptions", "2022-12-01"),
    (TOP, "2022-12-01"),
    (f"{TOP}/resourcegroups", "2024-03-01"),
    (IN_GROUP, "2024-03-01"),
    (f"{_NETWORK}/networkInterfaces/prep-vm-nic", "2024-05-01"),
    (f"{_NETWORK}/publicIPAddresses/prep-vm-ip", "2024-05-01"),
    (f"{_NETWORK}/virtualNetworks/research-vnet/subnets/default", "2024-05-01"),
    (f"{IN_GROUP}/{_PERMISSIONS}", "2022-04-01"),
    (f"{COMPUTE}/virtualMachines/prep-vm/{_PERMISSIONS}", "2022-04-01"),
    (f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/genomicsbatch/{_PERMISSIONS}", "2022-04-01"),
    ("https://prices.azure.com/api/retail/prices?$top=1", "2023-01-01-preview"),
    (f"{ARM}/metadata/endpoints", "2022-09-01"),
    (f"{_MICROSOFT}/v2.0/.well-known/openid-configuration", ""),
)


@functools.cache
def done(package: str) -> frozenset[tuple[str, str]]:
    rows = coverage.operations(coverage.clients()[package])
    return frozenset((row.group, row.name) for row in rows if row.done)


@pytest.mark.parametrize(("package", "group"), ASKED, ids="/".join)
def test_every_operation_that_was_asked_for_is_done(package: str, group: str) -> None:
    assert {(group, name) for name in ASKED[package, group].split()} <= done(package)


def test_every_operation_of_the_clients_can_be_asked_for() -> None:
    rows = [row for client in coverage.clients().values() for row in coverage.operations(client)]
    assert [row.called for row in rows if row.done is None] == []


def test_every_operation_of_batch_is_done_or_has_a_reason() -> None:
    rows = {
        package: coverage.operations(coverage.clients()[package]) for package in ("azure-batch", "azure-mgmt-batch")
    }
    assert [row.called for row in rows["azure-batch"] if not row.done] == []
    left = [row.called for row in rows["azure-mgmt-batch"] if not row.done]
    assert all(coverage.reason("azure-mgmt-batch", called) for called in left)
    assert {called.partition(".")[0] for called in left} == {"batch_account"}
    assert coverage.reason("azure-mgmt-compute", "availability_sets.get")
    assert coverage.reason("azure-batch", "create_job") == ""


def test_what_is_not_done_is_not_called_done() -> None:
    assert ("batch_account", "get_detector") not in done("azure-mgmt-batch")
    assert ("ssh_public_keys", "get") not in done("azure-mgmt-compute")  # a path that reads what was imported


@pytest.mark.parametrize(("url", "version"), AROUND, ids=lambda one: one.rpartition("/")[2])
def test_what_stands_around_is_there(url: str, version: str) -> None:
    assert EmulatorClient().ask("GET", url, version=version).status == 200


def test_no_two_routes_answer_one_request() -> None:
    taken: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for route in (route for table in app.provider_routes() for route in table.table):
        shape = re.sub(r"{\w+}", "{}", route.path.lower())
        spans = taken.setdefault((route.plane, route.method, shape), [])
        assert all(route.since > until or (route.until or "9") < since for since, until in spans), route
        spans.append((route.since, route.until or "9"))


def test_every_table_of_routes_is_found() -> None:
    found = {id(table) for table in app.provider_routes()}
    for module in pkgutil.walk_packages(emulator.__path__, f"{emulator.__name__}."):
        values = vars(importlib.import_module(module.name)).values()
        assert {id(value) for value in values if isinstance(value, Routes)} <= found, module.name


def test_each_package_has_its_routes() -> None:
    counts = {one: sum(len(table.table) for table in app.provider_routes((one,))) for one in app.ROUTE_PACKAGES}
    least = {"network": 22, "compute.routes": 63, "batch.routes": 83, "services": 32}
    assert {one: min(count, least[one]) for one, count in counts.items()} == least


def test_a_token_is_issued_to_every_client() -> None:
    form = b"grant_type=client_credentials&scope=https://management.azure.com/.default"
    assert EmulatorClient().ask("POST", f"{_MICROSOFT}/oauth2/v2.0/token", form).body["access_token"]


def test_operations_are_followed_where_their_answers_lead() -> None:
    azure = EmulatorClient()
    begun = azure.ask("POST", f"{COMPUTE}/virtualMachines/desk-vm/deallocate", version="2024-07-01")
    status, result = begun.headers["Azure-AsyncOperation"], begun.headers["Location"]
    assert (azure.ask("GET", status).body["status"], azure.ask("GET", result).status) == ("InProgress", 202)
    azure.clock.advance(100)
    assert (azure.ask("GET", status).body["status"], azure.ask("GET", result).status) == ("Succeeded", 200)
    account = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/another"
    made = azure.ask("PUT", account, {"location": "eastus", "properties": {}}, version="2025-06-01")
    assert made.status == 202
    azure.clock.advance(15)
    assert azure.ask("GET", made.headers["Location"]).status == 200


def test_run_command_refuses_what_is_not_modelled() -> None:
    azure = EmulatorClient()
    url = f"{COMPUTE}/virtualMachines/desk-vm/runCommand"

    def run(line: str) -> tuple[int, str]:
        body = {"commandId": "RunShellScript", "script": [line]}
        response = azure.ask("POST", url, body, version="2024-07-01")
        return response.status, response.body["error"]["code"] if response.body else ""

    assert run("sudo crontab -l") == (501, "NotImplemented")
    assert run("sudo waagent -deprovision+user -force") == (202, "")


def test_an_account_shows_its_authentication_modes_and_quotas() -> None:
    url = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/genomicsbatch"
    account = EmulatorClient().ask("GET", url, version="2025-06-01").body["properties"]
    assert account["allowedAuthenticationModes"] == ["SharedKey", "AAD", "TaskAuthenticationToken"]
    assert account["poolAllocationMode"] == "BatchService"
    assert {"name": "standardDSv5Family", "coreQuota": 1000} in account["dedicatedCoreQuotaPerVMFamily"]
