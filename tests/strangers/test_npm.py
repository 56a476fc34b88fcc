"""npm's clients of Azure, with Azure's own host names: the chain of the job, as the pages of the packages begin.

``make test-npm`` lets them do more, against the address of the server.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.strangers.cloud import GROUP, Cloud, environment_folder

SCRIPT = Path(__file__).parent / "programs" / "use_npm.mjs"


def test_the_whole_chain(cloud: Cloud) -> None:
    folder = environment_folder("node")
    script = Path(shutil.copy(SCRIPT, folder))  # beside the packages that it imports
    seen = json.loads(cloud.output("node", script, cwd=folder))
    assert seen == {
        "groups": [GROUP],
        "networks": ["research-vnet"],
        "vms": ["desk-vm", "gen1-vm", "prep-vm", "win-vm"],
        "version": "Succeeded",
        "pool": "steady",
        "nodes": ["idle", "idle"],
        "left": [],
    }
