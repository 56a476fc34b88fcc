"""The command line with a served emulator: it connects as it does to Azure, by its environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, SUBSCRIPTION
from batchimg_magics.emulator.http.scenarios import set_scenario
from tests.support.idle_pools import create_idle_pools
from tests.support.served_emulator import serve_emulator

BATCHIMG = Path(sys.executable).with_name("batchimg")
TARGET = ["--subscription", SUBSCRIPTION, "--resource-group", GROUP, "--account", ACCOUNT]


def test_a_profile_leads_to_where_the_environment_says() -> None:
    local = open_emulator(speed=1.0)
    create_idle_pools(local, {"sim": 3})
    with serve_emulator(local) as shell:

        def run(*words: str) -> str:
            done = subprocess.run([BATCHIMG, *words], env=shell, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert ACCOUNT in run("connect", *TARGET, "--save-as", "served")
        rows = json.loads(run("nodes", "sim", "--json", "--profile", "served"))
        assert [row["state"] for row in rows] == ["idle"] * 3
        assert rows[0]["state_since"].endswith("+00:00")
        assert json.loads(run("nodes", "sim", "--where", "not dedicated", "--json", "--profile", "served")) == []
        assert run("nodes", "sim", "--counts", "--no-prices", "--profile", "served").startswith(
            "LOCAL · pool sim: 3 idle"
        )
        set_scenario(local.store, "quota")
        assert run("pools", "--profile", "served").startswith("LOCAL (scenario quota) · pools")
        set_scenario(local.store, "calm")
        missing = subprocess.run([BATCHIMG, "nodes", "sin", "--json", "--profile", "served"], env=shell, check=False,
                                 capture_output=True, text=True)  # fmt: skip
        assert missing.returncode == 1
        assert "did you mean sim?" in missing.stderr
    local.close()
