"""The own tests of Azure's SDKs for Python, from their sources: live, as they are, against the emulator.

Microsoft ran them against Azure. Their repository's test tools are in no registry: ``testutils`` has what they ask of
them. `SOURCES` names each test that does not pass, and says why.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.strangers.cloud import Cloud, environment_folder
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTUTILS = Path(__file__).parent / "testutils"
PAGE = ROOT / "docs" / "strangers.md"


@dataclass(frozen=True)
class Sources:
    """The sources of one client.

    Parameters
    ----------
    folder
        Of the sources.
    environment
        The environment in which the tests run.
    left
        The tests that do not pass, and the reason of each.
    """

    folder: str
    environment: str
    left: Mapping[str, str] = field(default_factory=dict)


#: What the reasons stand for.
SKIPPED = "the SDK's authors skip it"
STORAGE = "needs Azure Storage, which the emulator has not got"
STALE = "was written for an older version of the client; the request is invalid, at Azure, too"
MISSING = "needs a type of resource that the job does not need: "
_COMPUTE_SKIPPED = dict.fromkeys(
    (
        "TestMgmtCompute.test_compute",
        "TestMgmtCompute.test_dedicated_hosts",
        "TestMgmtCompute.test_compute_disk_encryption",
        "TestMgmtCompute.test_compute_vm_2",
        "TestMgmtCompute.test_compute_vm_image",
        "TestMgmtCompute.test_compute_vmss_rolling_upgrades",
        "TestMgmtCompute.test_compute_vmss_extension",
        "TestMgmtCompute.test_compute_vmss_base_2",
    ),
    SKIPPED,
)
_SETS = ("compute_vmss_vm", "compute_vmss_vm_2", "compute_vmss_perform_maintenance")
_GROUPS = {
    "TestMgmtCompute.test_compute_availability_sets": f"{MISSING}availability sets",
    "TestMgmtCompute.test_compute_proximity_placement_groups": f"{MISSING}proximity placement groups",
}
_BATCH_SKIPPED = dict.fromkeys(
    ("TestMgmtBatch.test_mgmt_batch_account", "TestMgmtBatch.test_mgmt_batch_pools"), SKIPPED
) | {"TestMgmtBatch.test_mgmt_batch_applications": STORAGE}
_ADVANCED = "TestMgmtBatch.test_mgmt_batch_account_advanced"

SOURCES = [
    Sources(
        "azure_batch-15.1.0",
        "sdk-tests",
        {f"TestBatch.test_batch_files[{kind}]": STORAGE for kind in ("sync", "async")},
    ),
    Sources(
        "azure_mgmt_batch-19.0.0",
        "sdk-tests",
        _BATCH_SKIPPED | {"TestMgmtBatch.test_mgmt_batch_certificates": STALE, _ADVANCED: STALE},
    ),
    Sources(
        "azure_mgmt_compute-39.0.0",
        "sdk-tests",
        _COMPUTE_SKIPPED
        | _GROUPS
        | {f"TestMgmtCompute.test_{name}": STALE for name in _SETS}
        | {f"TestMgmtCompute.test_compute_{name}": STALE for name in ("shot", "disks", "galleries", "vm")}
        | {"TestMgmtComputeMultiVersion.test_compute_disks_multi": STALE},
    ),
    Sources(
        "azure_mgmt_batch-18.0.0",
        "sdk-tests-before",
        _BATCH_SKIPPED
        | {
            "TestMgmtBatch.test_mgmt_batch_certificates": f"{MISSING}certificates, which have retired",
            _ADVANCED: STALE,
        },
    ),
    Sources(
        "azure_mgmt_compute-34.1.0",
        "sdk-tests-before",
        _COMPUTE_SKIPPED
        | _GROUPS
        | {f"TestMgmtCompute.test_{name}": f"{MISSING}scale sets" for name in _SETS}
        | {
            "TestMgmtCompute.test_compute_galleries": f"{MISSING}gallery applications",
            "TestMgmtCompute.test_compute_vm": f"{MISSING}the documents of run commands, after the VM and its network",
        },
    ),
]


@pytest.fixture(scope="module")
def account(cloud: Cloud) -> str:
    """Return the account of a subscription's own nodes that a test of azure-batch expects to be there."""
    group = f"/subscriptions/{cloud.subscription}/resourceGroups/batch-rg"
    cloud.request("PUT", group, {"location": "eastus2"}, version="2021-04-01")
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/batchvault"
    cloud.import_resource(vault, "eastus2")
    own = {
        "poolAllocationMode": "UserSubscription",
        "keyVaultReference": {"id": vault, "url": "https://batchvault.vault.azure.net/"},
    }
    path = f"{group}/providers/Microsoft.Batch/batchAccounts/usersubaccount"
    cloud.request("PUT", path, {"location": "eastus2", "properties": own})
    return path.rpartition("/")[2]


def outcomes(cloud: Cloud, sources: Sources, account: str, folder: Path) -> list[tuple[str, str]]:
    """Run the tests of some sources, and return for each test its name and ``passed``, or what pytest says about it."""
    python = environment_folder(sources.environment) / "bin" / "python"
    tree = environment_folder("sdk-sources") / sources.folder
    report = folder / "report.xml"
    options = [
        "-c",
        TESTUTILS / "sdk-tests.ini",
        f"--rootdir={tree}",
        f"--junit-xml={report}",
        "-p",
        "no:cacheprovider",
    ]
    done = cloud.run(
        *(python, "-m", "pytest", *options, tree / "tests"),
        cwd=folder,
        AZURE_TEST_RUN_LIVE="true",
        BATCH_RESOURCE_GROUP="batch-rg",
        BATCH_USERSUB_ACCOUNT_NAME=account,
        PYTHONPATH=str(TESTUTILS),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert report.exists(), f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    print(done.stdout[-6000:])  # noqa: T201 - pytest shows it if the outcomes are not as expected
    return [_outcome(case) for case in ET.parse(report).iter("testcase")]  # noqa: S314 - pytest wrote it


def _outcome(case: ET.Element) -> tuple[str, str]:
    name = f"{case.attrib['classname'].rpartition('.')[2]}.{case.attrib['name']}"
    for result in case:
        if result.tag in ("failure", "error", "skipped"):
            return name, f"{result.tag}: {result.attrib.get('message', '')}"
    return name, "passed"


def row(sources: Sources) -> list[str]:
    """Return the row of some sources in the page."""
    name, _, version = sources.folder.replace("_", "-").rpartition("-")
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    return next(cells for cells in lines if cells[:2] == [f"`{name}`", version])


@pytest.mark.parametrize("sources", SOURCES, ids=lambda sources: sources.folder)
def test_all_pass_but_those_that_are_left(cloud: Cloud, sources: Sources, account: str, tmp_path: Path) -> None:
    found = outcomes(cloud, sources, account, tmp_path)
    failed = {name: outcome for name, outcome in found if outcome != "passed"}
    assert row(sources)[-1] == f"{len([one for one in found if one[1] == 'passed'])} of {len(found)} tests"
    assert failed.keys() == sources.left.keys(), "\n".join(f"{name}: {text[:300]}" for name, text in failed.items())
