"""The commands that `tests.support.crash` interrupts, and the emulator state before each.

Every image source of `create`, and every verb that changes resources.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from batchimg_magics.emulator import open_emulator
from batchimg_magics.session.session import Session
from tests.support.connections import emulator_of
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import GROUP
from tests.support.panels import advance_time
from tests.support.prepared_vms import StateFileClient, connect_to

if TYPE_CHECKING:
    from collections.abc import Callable

#: Before pools on managed images were retired.
EARLY = dt.datetime(2025, 6, 2, tzinfo=dt.UTC)
SIZE = "Standard_D4s_v5"
_PLAN = "plan.toml"


@dataclass(frozen=True)
class Case:
    """A command to interrupt.

    Parameters
    ----------
    name
        Of the case.
    run
        Runs the command.
    prepare
        Creates what has to exist before it, by plain requests and by a session on the state.
    deletes
        Whether the command finds nothing, and says so, when it is run again after it was complete.
    tries
        At how many points the tests interrupt it, evenly apart; `make crash` does so at all. 0: another case is much
        like it, so the tests leave it to `make crash`.
    date
        When the emulator state begins; None: its default.
    expires_h
        Hours after which no pool has a node, wherever the command was interrupted, although no client runs any more;
        0: the command sets no expiry.
    counts
        Tells the requests, by method and URL, and the writes at which it is interrupted: those of a command that does
        several things at once are not in the same order in each run.
    varies
        A regular expression for what may differ from the uninterrupted run: what depends on the time.
    """

    name: str
    run: Callable[[Session], object]
    prepare: Callable[[StateFileClient, Session], object] | None = None
    deletes: bool = False
    tries: int = 1
    date: dt.datetime | None = None
    expires_h: float = 0
    counts: Callable[[str], bool] = bool
    varies: str = ""

    def build(self, path: Path) -> None:
        """Create the state before the command."""
        open_emulator(path, start=self.date).close()
        if self.prepare is not None:
            with Session() as session:
                self.prepare(StateFileClient(path), session)


@dataclass
class Create:
    """`create` with options that may depend on prepared resources."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, session: Session) -> object:
        return session.create(self.name, **{"vm_size": SIZE, "nodes": 2, **self.options})


@dataclass
class _Plan:
    """Save a plan beside the state before `create --plan` is interrupted."""

    name: str
    options: dict[str, Any]

    def __call__(self, client: StateFileClient, session: Session) -> object:
        file = client.path.with_name(_PLAN)
        return connect_to(session, client).plan(self.name, vm_size=SIZE, nodes=2, out=str(file), **self.options)


def _create_as_planned(session: Session) -> object:
    """Carry out the plan beside the state; a state that is interrupted is in a folder inside that one."""
    folder = Path(str(emulator_of(session).state_path)).parent
    file = next(one for one in (folder / _PLAN, folder.parent / _PLAN) if one.exists())
    return session.create(plan=str(file), yes=True)


def create_pool(client: StateFileClient, session: Session) -> None:
    connect_to(session, client).create("genomics", **CREATE_OPTIONS)


def create_pool_with_expiry(client: StateFileClient, session: Session) -> None:
    connect_to(session, client).create("genomics", ttl="8h", **CREATE_OPTIONS)


def _pool_with_failed_nodes(client: StateFileClient, session: Session) -> None:
    """Create nodes whose start tasks failed; those of new nodes succeed."""
    connect_to(session, client)
    options = {**CREATE_OPTIONS, "nodes": 4, "spot": 0, "start_task": "prepare.sh", "until": "steady"}
    session.connect(state=str(client.path), speed="max", scenario="bad-start-task")
    session.create("genomics", **options, canary=False)
    session.wait("genomics", until="steady")
    session.connect(state=str(client.path), speed="max", scenario="calm")


def _remove_node(session: Session) -> object:
    """Remove the node with the lowest id; once it is gone, an id that the pool does not have any more."""
    nodes = session.nodes("genomics").node_id
    gone = len(nodes) < CREATE_OPTIONS["nodes"] + CREATE_OPTIONS["spot"]
    return session.repair("genomics", node=f"tvmps_{'0' * 64}_d" if gone else min(nodes), remove=True)


def create_old_pool(client: StateFileClient, session: Session) -> None:
    """Create a pool on a managed image, which Azure does not create any more."""
    client.create_vm("desk", disks=1)
    connect_to(session, client).create("old", from_vm="desk", direct=True, nodes=2, spot=1, vm_size=SIZE)


def create_idle_pool(client: StateFileClient, session: Session) -> None:
    """Create a pool without nodes."""
    connect_to(session, client).create("genomics", **{**CREATE_OPTIONS, "nodes": 0, "spot": 0})


def create_leftovers(client: StateFileClient, session: Session) -> None:
    """Leave an image whose pool was deleted."""
    connect_to(session, client).create("genomics", **{**CREATE_OPTIONS, "nodes": 0, "spot": 0})
    session.delete("genomics")


def _rows(count: int = 120) -> pd.DataFrame:
    """Return a table of more rows than one request adds, some of which fail."""
    rows = range(count)
    return pd.DataFrame({"wait": [1 + row % 7 for row in rows], "code": [int(row % 40 == 7) for row in rows]})


def _run(session: Session, rows: int = 120, **options: object) -> object:
    """Run a command over the table."""
    return session.run("genomics", over=_rows(rows), command="sleep {wait}\nexit {code}", **options)


def _failed_run(client: StateFileClient, session: Session) -> None:
    create_pool(client, session)
    _run(session)


def _waiting_run(client: StateFileClient, session: Session) -> None:
    create_pool(client, session)
    session.run("genomics", over=_rows(), command="sleep 8{wait}00", wait=False)
    advance_time(session, 5)


def _snapshots(client: StateFileClient, _: Session) -> None:
    client.create_vm("desk", disks=1)
    client.deprovision("desk")
    client.snapshot("os", "desk-os")
    client.snapshot("data", "desk-data0")


def _image(client: StateFileClient, _: Session) -> None:
    client.create_vm("desk", disks=1)
    client.deprovision("desk")
    client.image("mine", "desk")


CASES = (
    Case("create", lambda session: session.create("genomics", **CREATE_OPTIONS), tries=2),
    Case("create by copy", Create("desk", {"from_vm": "desk-vm", "stop": True})),
    Case(
        "create in place",
        Create("desk", {"from_vm": "desk-vm", "capture": "in-place", "yes": True}),
        # The VM itself cannot be made again: what the script printed about its packages is lost with its run.
        tries=0,
        varies="tags batchimg-packages: .* / None$",
    ),
    Case("create --plan", _create_as_planned, _Plan("genomics", {"from_vm": "prep-vm"})),
    Case("create --plan by copy", _create_as_planned, _Plan("desk", {"from_vm": "desk-vm", "stop": True}), tries=0),
    Case(
        "create --plan in place",
        _create_as_planned,
        _Plan("desk", {"from_vm": "desk-vm", "capture": "in-place"}),
        tries=0,
        varies="tags batchimg-packages: .* / None$",
    ),
    Case("create --via managed-image", Create("desk", {"from_vm": "desk-vm", "via": "managed-image"}), tries=0),
    Case(
        "create --from-snapshot",
        Create(
            "desk",
            {
                "from_snapshot": f"{GROUP}/snapshots/os",
                "data_snapshots": {0: f"{GROUP}/snapshots/data"},
                "generalized": True,
            },
        ),
        _snapshots,
    ),
    Case("create --from-image", Create("desk", {"from_image": f"{GROUP}/images/mine"}), _image),
    Case(
        "create --from-vhd",
        Create(
            "desk",
            {
                "from_vhd": "https://labstore.blob.core.windows.net/vhds/system.vhd",
                "os_type": "Linux",
                "generation": "V1",
                "generalized": True,
                "node_agent_sku": "batch.node.ubuntu 22.04",
                "vm_size": "Standard_D4s_v3",
            },
        ),
    ),
    Case("create --ttl", lambda session: session.create("genomics", ttl="8h", **CREATE_OPTIONS), expires_h=8),
    Case(
        "create --replace",
        Create("genomics", {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "replace": True, "yes": True}),
        create_pool,
    ),
    Case("resize", lambda session: session.resize("genomics", nodes=40, spot=2), create_pool),
    Case(
        "resize --ttl",
        lambda session: session.resize("genomics", nodes=40, ttl="4h"),
        create_pool_with_expiry,
        tries=2,
        expires_h=8,
    ),
    Case(
        "resize of a pool with an expiry",
        lambda session: session.resize("genomics", nodes=40),
        create_pool_with_expiry,
        tries=2,
        expires_h=8,
    ),
    Case(
        "resize of a pool with an expiry to fewer nodes",
        lambda session: session.resize("genomics", nodes=1),
        create_pool_with_expiry,
        tries=0,
        expires_h=8,
    ),
    Case("repair", lambda session: session.repair("genomics"), _pool_with_failed_nodes),
    Case("repair --node --remove of a pool with an expiry", _remove_node, create_pool_with_expiry),
    Case(
        "migrate",
        lambda session: session.migrate("old", yes=True, delete_old=True),
        create_old_pool,
        deletes=True,
        date=EARLY,
    ),
    Case("update", lambda session: session.update("genomics", run=["true"]), create_idle_pool),
    Case(
        "update --drain",
        lambda session: session.update("genomics", run=["true", "true"], drain=True),
        create_pool,
        tries=0,
    ),
    # The prices of a run are told if the price list answers.
    Case("run", _run, create_pool, varies=" metadata: "),
    Case("run of 1,000 rows", lambda session: _run(session, 1000), create_pool, varies=" metadata: ", tries=0),
    Case("run --retry failed", lambda session: _run(session, retry="failed"), _failed_run, tries=0),
    Case("stop-run", lambda session: session.stop_run(session.runs().run[0]), _waiting_run, varies="/tasks/", tries=0),
    Case(
        "resize --then-zero",
        lambda session: session.resize("genomics", nodes=30, then_zero=True, ttl="8h"),
        create_pool_with_expiry,
        tries=0,
        expires_h=8,
    ),
    Case("delete --image", lambda session: session.delete("genomics", image=True), create_pool, deletes=True),
    Case(
        "cleanup --delete",
        lambda session: session.cleanup(delete=True, older_than="0s"),
        create_leftovers,
        deletes=True,
    ),
)
