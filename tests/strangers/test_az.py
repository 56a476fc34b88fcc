"""The Azure CLI, with Azure's own host names: a new VM, its image, a pool of it, and all of it deleted.

``make test-azcli`` runs many more of its commands, against the address of the server.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.strangers.cloud import Cloud

SCRIPT = Path(__file__).parent / "programs" / "use_az.sh"


def test_the_whole_chain(cloud: Cloud, tmp_path: Path) -> None:
    if shutil.which("az") is None:
        pytest.fail("the Azure CLI is not there: run `make test-strangers`")
    path = f"{Path(str(shutil.which('az'))).parent}:{cloud.environment['PATH']}"
    printed = cloud.output("/bin/bash", SCRIPT, PATH=path, AZURE_CONFIG_DIR=str(tmp_path / "azure"))
    assert printed.split() == ["3", "false"]
    groups = cloud.request("GET", f"/subscriptions/{cloud.subscription}/resourcegroups", version="2021-04-01")
    assert "lab" not in [group["name"] for group in groups["value"]]
