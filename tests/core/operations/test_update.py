"""`update`: commands on the image of a pool, as a new version, and the pool on it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from batchimg_magics.core.azure import tags
from batchimg_magics.core.images.update_commands import MAX_BYTES, read_commands
from batchimg_magics.errors import (
    NotFoundError,
    ProvisioningError,
    ResizeError,
    SpecError,
)
from batchimg_magics.ui.cli import main
from tests.support.connections import read_pool, wrapped_session
from tests.support.create_options import CREATE_OPTIONS
from tests.support.faults import set_scenario
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.session.session import Session

IDLE = {**CREATE_OPTIONS, "nodes": 0, "spot": 0}
UPGRADE = "echo upgraded"


class Recorder(ForwardingTransport):
    """A transport that keeps the bodies of requests that change something."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if request.method not in ("GET", "HEAD"):
            body = request.content if hasattr(request, "content") else request.body
            text = body.decode() if isinstance(body, bytes) else str(body or "")
            self.sent.append((request.method, request.url.partition("?")[0], text))
        return await self.inner.send(request, **kwargs)

    def body(self, part: str) -> Any:
        """Return the first body that was sent to a URL with this part."""
        return json.loads(next(body for method, url, body in self.sent if method == "PUT" and part in url))


@pytest.fixture
def recorded() -> Iterator[tuple[Session, Recorder]]:
    with wrapped_session(Recorder) as opened:
        opened[0].create("genomics", **IDLE)
        opened[1].sent.clear()
        yield opened


def _version(session: Session, number: str) -> Any:
    found = session.images().set_index("version")
    key = found.loc[number, "id"]
    return session.call(lambda azure: azure.get(f"{key}?api-version=2026-03-03")).json()


def steps_of(answer: pd.DataFrame) -> pd.DataFrame:
    """Return the steps of an update whose answer is the packages that differ."""
    return pd.DataFrame(answer.attrs["steps"]).set_index("step")


def test_an_empty_pool_is_moved_and_the_same_line_has_nothing_to_do(recorded: tuple[Session, Recorder]) -> None:
    session, line = recorded
    planned = session.update("genomics", run=[UPGRADE], dry_run=True)
    assert not line.sent
    done = session.update("genomics", run=[UPGRADE])
    assert list(done.step) == list(planned.step)
    steps = done.set_index("step")
    assert steps.loc["command", "detail"] == "upgraded"
    assert done.attrs["caption"].startswith("LOCAL · pool genomics is on image version genomics/1.0.1, after ")
    assert done.attrs["resources"]["image_version"].endswith("/versions/1.0.1")
    assert session.pools().image[0] == "batchimg_genomicsbatch/genomics/1.0.1"
    assert session.cleanup().empty  # the old version is not needed, and is kept until its end
    new, old = _version(session, "1.0.1"), _version(session, "1.0.0")
    assert new["properties"]["publishingProfile"]["excludeFromLatest"] is True
    assert new["tags"][tags.UPDATED_FROM] == old["id"]
    assert UPGRADE not in json.dumps(new)
    assert old["properties"]["publishingProfile"]["endOfLifeDate"].startswith("2026-09-29")
    assert sorted(session.vms().vm) == sorted(one for one in session.vms().vm if not one.startswith("batchimg-"))
    sent = len(line.sent)
    again = session.update("genomics", run=[UPGRADE])
    assert again.empty
    assert "which these commands made; nothing was to do" in again.attrs["caption"]
    # The line that created the pool leaves it on the update.
    assert set(session.create("genomics", **IDLE).action) == {"exists"}
    assert len(line.sent) == sent
    session.update("genomics", run=[UPGRADE], again=True)
    assert session.pools().image[0] == "batchimg_genomicsbatch/genomics/1.0.2"
    assert set(session.create("genomics", **IDLE).action) == {"exists"}
    session.call(lambda azure: azure.sleep(91 * 86_400))
    ended = session.cleanup().set_index("type")
    assert "pool genomics uses another image; end of life 2026-09-29" in set(ended.why)


def test_the_temporary_vm_is_closed_and_its_key_is_forgotten(recorded: tuple[Session, Recorder]) -> None:
    session, line = recorded
    session.update("genomics", run=[UPGRADE])
    machine = line.body("/virtualMachines/")["properties"]
    assert machine["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert "adminPassword" not in machine["osProfile"]
    (interface,) = machine["networkProfile"]["networkInterfaceConfigurations"]
    assert "publicIPAddressConfiguration" not in json.dumps(interface)
    rules = [one["properties"] for one in line.body("/networkSecurityGroups/")["properties"]["securityRules"]]
    inbound = [(one["access"], one["destinationPortRange"]) for one in rules if one["direction"] == "Inbound"]
    assert inbound == [("Deny", "*")]
    outbound = {
        one["destinationPortRange"] for one in rules if one["direction"] == "Outbound" and one["access"] == "Allow"
    }
    assert outbound == {"443", "80", "53"}
    first, second = (
        (json.dumps(body) for _, url, body in line.sent if "/virtualMachines/" in url and "ssh-" in body),
        "",
    )
    assert len(list(first)) == 1
    assert not second


def test_a_pool_with_nodes_stays_until_it_is_told_what_to_do(session: Session) -> None:
    session.create("genomics", **{**CREATE_OPTIONS, "nodes": 2, "spot": 1})
    kept = session.update("genomics", run=[UPGRADE])
    assert "pool genomics stays on genomics/1.0.0: it has nodes" in kept.attrs["caption"]
    assert kept.attrs["withheld"]
    assert steps_of(kept).loc["pool", "action"] == "kept"
    shown = session.update("genomics", run=[UPGRADE], replace=True)
    assert "to do it" in shown.attrs["caption"]
    assert len(session.nodes("genomics")) == 3
    answer = session.update("genomics", run=[UPGRADE], drain=True)
    assert "0 differences (116 and 116 packages)" in answer.attrs["caption"]
    done = steps_of(answer)
    assert "test node" not in done.index  # it was ready before
    assert "command" not in done.index
    assert done.loc["nodes removed", "detail"] == "2 dedicated + 1 spot"
    assert done.loc["nodes", "state"] == "ready"
    nodes = session.nodes("genomics")
    assert (len(nodes), nodes.dedicated.sum()) == (3, 2)
    assert set(nodes.image_version.str.rpartition("/")[2]) <= {"1.0.1", ""}
    noted = {one["name"] for one in read_pool(session)["properties"]["metadata"]}
    assert not noted & {tags.NODES_BEFORE, tags.TESTED}


def test_a_command_that_fails_leaves_everything_as_it_was(recorded: tuple[Session, Recorder]) -> None:
    session, _ = recorded
    with pytest.raises(ProvisioningError, match=r"`exit 3.*` failed in the temporary VM: exit code 3") as caught:
        session.update("genomics", run=["true", "exit 3 # ?sig=c2VjcmV0"])
    assert "c2VjcmV0" not in str(caught.value)
    table = caught.value.table
    assert table is not None
    assert "deleted" in [row["action"] for row in table.rows() if row["step"] == "temporary resources"]
    assert session.pools().image[0] == "batchimg_genomicsbatch/genomics/1.0.0"
    assert list(session.images().version) == ["1.0.0"]
    # A command that stops the agent never returns.
    with pytest.raises(ProvisioningError, match="it did not end within 95 min"):
        session.update("genomics", run=["waagent -deprovision+user -force"])
    assert not [one for one in session.vms().vm if one.startswith("batchimg-")]


def test_a_test_node_that_fails_leaves_the_pool_where_it_is(session: Session) -> None:
    session.create("genomics", start_task="prepare.sh", **IDLE)
    set_scenario(session, "bad-start-task")
    with pytest.raises(ResizeError) as caught:
        session.update("genomics", run=[UPGRADE])
    assert "pool genomics stays on its image" in caught.value.hint
    pools = session.pools()
    assert list(pools.pool) == ["genomics"]  # no test pool is left
    assert pools.image[0] == "batchimg_genomicsbatch/genomics/1.0.0"
    set_scenario(session, "calm")
    done = session.update("genomics", run=[UPGRADE]).set_index("step")
    assert done.loc["image version", "action"] == "exists"  # the commands do not run again


def test_windows_with_a_policy_on_tags(session: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path)
    outside.create_vm("office", os_type="Windows", disks=1)
    connect_to(session, outside).create("office", from_vm="office", vm_size="Standard_D4s_v5")
    session.connect(state=str(outside.path), speed="max", scenario="tag-policy", tag={"CostCenter": "42"})
    done = steps_of(session.update("office", run=["Write-Output patched"]))
    assert "patched" in done.loc["command", "detail"]
    assert session.pools().image[0] == "batchimg_genomicsbatch/office/1.0.1"
    session.close()
    left = [key for key in read_inventory(outside.path) if "/batchimg-" in key]
    assert left == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "the commands of the update are missing"),
    ({"run": [" "]}, "a command of the update is empty"),
    ({"script": "#!/usr/bin/perl\nprint 1"}, "the script is for '/usr/bin/perl'"),
    ({"run": ["x" * (MAX_BYTES + 1)]}, "more than 65,536 bytes"),
    ({"run": ["true"], "drain": True, "replace": True}, "exclude each other"),
    ({"run": ["true"], "copy_size": "Standard_D4s_v99"}, "--copy-size|copy_size"),
    ({"run": ["true"], "copy_subnet": "/subscriptions/s/resourceGroups/g/providers/p/x/y"}, "is not a subnet"),
    ({"run": ["true"], "end_of_life": "soon"}, "soon"),
]


def test_what_is_refused_is_refused_before_anything_is_made(recorded: tuple[Session, Recorder]) -> None:
    session, line = recorded
    for options, told in REFUSED:
        with pytest.raises(SpecError, match=told):
            session.update("genomics", **options)
    with pytest.raises(NotFoundError, match="there is no pool 'other'"):
        session.update("other", run=["true"])
    set_scenario(session, "private-subnets")
    with pytest.raises(SpecError, match="no package server can be reached from it") as caught:
        session.update("genomics", run=["true"])
    assert "NAT gateway" in caught.value.hint
    assert line.sent == []


def test_commands_are_told_apart_and_a_script_has_its_program() -> None:
    shell, python = read_commands((), "#!/bin/bash\nset -e\n")[0], read_commands((), "#!/usr/bin/env python3\n1")[0]
    assert (shell.interpreter, python.interpreter) == ("/bin/bash", "python3")
    assert "AccountKey=***" in read_commands(["curl AccountKey=abcdef0123"], None)[0].shown
    assert re.search("batchimg: exit", shell.script("Linux")[-1])


def test_in_a_notebook_and_in_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))
    script = tmp_path / "install.sh"
    script.write_text("#!/bin/sh\necho $HOME\n")
    with ipython() as shell:
        run_cell(shell, "%batchimg create genomics --from-vm prep-vm")
        run_cell(shell, f'%batchimg update genomics --run "echo one" --script {script} --dry-run')
        run_cell(shell, "%batchimg connect --state :memory:")
    assert main(["resize", "genomics", "--nodes", "1"]) == 0
    assert main(["update", "genomics", "--run", "echo one", "--script", str(script)]) == 3
    told = capsys.readouterr()
    assert "stays on genomics/1.0.0: it has nodes" in told.out + told.err
