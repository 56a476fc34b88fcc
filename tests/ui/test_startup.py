"""Start-up in a fresh process: what loading the extension imports, and what one listing imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, SUBSCRIPTION
from tests.support.idle_pools import create_idle_pools
from tests.support.served_emulator import serve_emulator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAVY = ("azure", "pandas", "pydantic", "starlette", "msgspec", "numpy", "aiohttp", "yaml")
SCRIPT = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "batchimg_magics")
assert "batchimg" in shell.magics_manager.magics["line"]
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
#: None of these is needed to list nodes: their import takes longer than the listing.
NOT_FOR_NODES = (
    "azure.batch", "azure.mgmt", "IPython", "numpy", "pandas", "pydantic", "rich", "yaml",
)  # fmt: skip
LINE = """
import sys
from batchimg_magics.ui.cli import main
status = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(status)
"""


def test_load_ext_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "batchimg_magics" in loaded
    assert not set(HEAVY) & set(loaded)


def listed(shell: Mapping[str, str]) -> set[str]:
    """List the nodes of a pool over a saved connection; return the modules that it took."""
    words = ["nodes", "sim", "--json", "--profile", "served"]
    done = subprocess.run([sys.executable, "-c", LINE, *words], env=shell, capture_output=True, text=True, check=True)
    assert [row["state"] for row in json.loads(done.stdout)] == ["idle"] * 3
    return set(done.stderr.split())


def test_listing_nodes_imports_no_more_than_it_takes() -> None:
    local = open_emulator(speed=1.0)
    create_idle_pools(local, {"sim": 3})
    with serve_emulator(local) as shell:
        target = ["--subscription", SUBSCRIPTION, "--resource-group", GROUP, "--account", ACCOUNT]
        subprocess.run([sys.executable, "-c", LINE, "connect", *target, "--save-as", "served"], env=shell, check=True,
                       capture_output=True)  # fmt: skip
        loaded = listed(shell)
        assert {"aiohttp", "batchimg_magics.connection.sign_in"} <= loaded
        assert not {name for name in NOT_FOR_NODES if name in loaded}
        # Signing in is the work of azure-identity, with its whole import.
        assert "azure.identity" in loaded
    local.close()


FIRST_TABLE = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "batchimg_magics")
shell.run_line_magic("batchimg", "connect --state :memory:")
assert list(shell.run_line_magic("batchimg", "vms")["vm"])
print(*sys.modules)
"""


def test_the_first_table_of_a_kernel_imports_no_client_of_a_service() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_TABLE], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"pandas", "azure.core"} <= loaded
    assert not {"azure.batch", "azure.identity", "azure.mgmt", "ipywidgets", "pydantic", "yaml"} & loaded


@pytest.mark.parametrize("verb", ["pools", "vms"])
def test_a_listing_of_the_emulator_imports_no_arrays(verb: str, tmp_path: Path) -> None:
    shell = {**os.environ, "BATCHIMG_STATE": str(tmp_path / "state.db")}
    done = subprocess.run([sys.executable, "-c", LINE, verb], env=shell, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "batchimg_magics.emulator.app" in loaded
    assert not {*NOT_FOR_NODES, "azure.identity", "rich"} & loaded
