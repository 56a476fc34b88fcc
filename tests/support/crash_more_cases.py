"""More commands that `tests.support.crash` interrupts: with files of their own, of the panel, or like another one.

In `tests.support.crash_cases` are those that outages meet, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.ui.panel.panel import Panel
from tests.support.crash_cases import (
    EARLY,
    SIZE,
    Case,
    Create,
    create_leftovers,
    create_old_pool,
    create_pool,
    create_pool_with_expiry,
)
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import GROUP
from tests.support.panels import advance_time, press, send, set_values, wait_for_verb
from tests.support.prepared_vms import StateFileClient, connect_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.session.session import Session

VERSION = f"{GROUP}/galleries/batchimg_genomicsbatch/images/genomics/versions/1.0.0"


def _windows(session: Session) -> object:
    """Build an image of a Windows VM by a copy; the nodes start slowly."""
    return session.create("desk", from_vm="win-vm", vm_size=SIZE, nodes=1)


def _lock(client: StateFileClient, session: Session) -> None:
    """Lock a pool, and delete it without its image."""
    create_pool(client, session)
    session.lock("genomics", str(client.path.with_name("genomics.lock.toml")))
    session.delete("genomics")


def _running_resize(client: StateFileClient, session: Session) -> None:
    """Leave a pool that is being resized."""
    create_pool(client, session)
    session.resize("genomics", nodes=200, wait=False)
    advance_time(session, 5)


def _two_pools(client: StateFileClient, session: Session) -> None:
    options = {**CREATE_OPTIONS, "nodes": 1, "spot": 0}
    connect_to(session, client).create("first", **options)
    session.create("second", **options)


def _first_node(session: Session) -> str:
    return str(min(session.nodes("genomics").node_id))


def _version(client: StateFileClient, session: Session) -> None:
    connect_to(session, client).create("first", **{**CREATE_OPTIONS, "nodes": 0, "spot": 0})


def _in_panel(act: Callable[[Panel], object]) -> Callable[[Session], object]:
    """Return a command of the panel: what it starts is waited for."""

    def run(session: Session) -> object:
        panel = Panel(session, "genomics")
        try:
            advance_time(session, 30)  # the panel reads the pool
            act(panel)
            wait_for_verb(session)
            advance_time(session, 300)
        finally:
            panel.close()
        return session.wait("genomics") if session.pools().pool.tolist() else None

    return run


def _resize_in_panel(panel: Panel) -> None:
    set_values(panel, nodes=30)
    press(panel, "resize")


def _act_on_first_node(action: str) -> Callable[[Panel], object]:
    """Return the action on the first node, as long as the pool has all of its nodes."""

    def act(panel: Panel) -> None:
        ids = sorted(panel.session.nodes("genomics").node_id)
        if len(ids) < CREATE_OPTIONS["nodes"] + CREATE_OPTIONS["spot"]:
            return
        panel.nodes_section.card.select(ids[0])
        advance_time(panel.session, 30)
        send(panel, section="nodes", kind="act", action=action)
        send(panel, section="nodes", kind="confirm")

    return act


def _changes(text: str) -> bool:
    """Tell the requests of a panel's command: the panel reads beside it, and notes what it reads."""
    return text.startswith(("PUT", "POST", "PATCH", "DELETE"))


MORE_CASES = (
    Case("create of a Windows VM", _windows, tries=0),
    Case(
        "create in place, --ttl",
        Create("desk", {"from_vm": "desk-vm", "capture": "in-place", "yes": True, "ttl": "8h"}),
        tries=0,
        expires_h=8,
    ),
    Case(
        "create by copy, --ttl, --stop",
        Create("desk", {"from_vm": "desk-vm", "stop": True, "ttl": "8h"}),
        tries=0,
        expires_h=8,
    ),
    Case(
        "create --from-version",
        Create("genomics", {"from_version": VERSION.replace("images/genomics", "images/first")}),
        _version,
        tries=0,
    ),
    Case(
        "create --replicas",
        Create("genomics", {"from_vm": "prep-vm", "replicas": {"eastus": 1, "westus2": 1}}),
        tries=0,
    ),
    Case("create --locked", lambda session: session.create(locked="genomics.lock.toml"), _lock, tries=1),
    Case(
        "plan --out",
        lambda session: session.plan("genomics", out="genomics.plan", force=True, **CREATE_OPTIONS),
        tries=0,
    ),
    Case("lock", lambda session: session.lock("genomics", "genomics.lock.toml"), create_pool, tries=1),
    Case(
        "packer --output",
        lambda session: session.packer("genomics", output="genomics.pkr.hcl", force=True),
        create_pool,
        tries=0,
    ),
    Case(
        "connect --save",
        lambda session: session.connect(state="world.db", speed="max", save_as="lab"),
        create_pool,
        tries=0,
    ),
    Case(
        "resize --ttl of a pool without one",
        lambda session: session.resize("genomics", nodes=30, ttl="4h"),
        create_pool,
        tries=0,
    ),
    Case("resize of several pools", lambda session: session.resize("*", nodes=3), _two_pools, tries=0),
    Case(
        "resize to no nodes",
        lambda session: session.resize("genomics", nodes=0, spot=0, yes=True),
        create_pool,
        tries=0,
    ),
    Case(
        "stop-resize", lambda session: session.stop_resize("genomics"), _running_resize, varies="nodes|Nodes", tries=0
    ),
    Case(
        "autoscale --preset",
        lambda session: session.autoscale("genomics", preset="pending-tasks", nodes=5, spot=0),
        create_pool,
        tries=0,
        varies="currentDedicated|currentLow|nodes of",
    ),
    Case(
        "autoscale --preset expiry",
        lambda session: session.autoscale("genomics", preset="expiry", ttl="8h"),
        create_pool,
        tries=0,
    ),
    Case("autoscale --off", lambda session: session.autoscale("genomics", off=True), create_pool_with_expiry, tries=0),
    Case(
        "repair --node --reboot",
        lambda session: session.repair("genomics", node=_first_node(session), reboot=True),
        create_pool,
        tries=0,
    ),
    Case(
        "repair --node --reimage",
        lambda session: session.repair("genomics", node=_first_node(session), reimage=True),
        create_pool,
        tries=0,
    ),
    Case(
        "migrate and keep the old pool",
        lambda session: session.migrate("old", yes=True),
        create_old_pool,
        date=EARLY,
        tries=0,
    ),
    Case("delete", lambda session: session.delete("genomics"), create_pool, deletes=True, tries=0),
    Case(
        "delete of a version by its id",
        lambda session: session.delete(VERSION),
        create_leftovers,
        deletes=True,
        tries=0,
    ),
    Case("resize in the panel", _in_panel(_resize_in_panel), create_pool, counts=_changes, tries=0),
    Case(
        "stop in the panel",
        _in_panel(lambda panel: press(panel, "stop")),
        _running_resize,
        counts=_changes,
        varies="nodes|Nodes",
        tries=0,
    ),
    Case(
        "delete in the panel",
        _in_panel(lambda panel: press(panel, "delete")),
        create_pool,
        deletes=True,
        counts=_changes,
        tries=0,
    ),
    Case(
        "reboot of a node in the panel", _in_panel(_act_on_first_node("reboot")), create_pool, counts=_changes, tries=0
    ),
    Case(
        "removal of a node in the panel", _in_panel(_act_on_first_node("remove")), create_pool, counts=_changes, tries=0
    ),
)
