"""What ends work on a connection to Azure waits for `--yes`, and captions show that nodes cost money."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.display.labels import caption_html
from batchimg_magics.errors import BatchImgError
from tests.support.concurrent_client import ConcurrentClient
from tests.support.connections import connection_of, emulator_of
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    import pandas as pd

    from batchimg_magics.session.session import Session

LINE = {name: value for name, value in CREATE_OPTIONS.items() if name not in ("nodes", "spot")}
FORMULA = "$TargetDedicatedNodes = 0;"
#: Verb, options, and what its caption says before it asks for --yes.
WITHHELD: list[tuple[str, dict[str, Any], str]] = [
    ("resize", {"nodes": 1}, "it would lose 1 of 2 nodes"),
    ("resize", {"nodes": 0, "spot": 0}, "it would lose 2 of 2 nodes"),
    ("resize", {"nodes": 1, "drain": "taskcompletion"}, "it would lose 1 of 2 nodes, each after its tasks"),
    ("autoscale", {"preset": "pending-tasks"}, "removes nodes that no pending task needs: 2 of 2 nodes idle now"),
    ("autoscale", {"preset": "working-hours"}, "removes all nodes outside Monday to Friday, 8-18 UTC: 2 nodes then"),
    ("autoscale", {"preset": "expiry", "ttl": "2h", "nodes": 1}, "it keeps at most 1 dedicated, and the pool has 2"),
    ("autoscale", {"formula": FORMULA}, "the formula may remove any of its 2 nodes"),
    ("create", {"formula": FORMULA, **LINE}, "may remove nodes; nothing was changed"),
    ("create", {"nodes": 2, "task_slots": 2, "replace": True, **LINE}, "would be deleted and created again"),
    ("delete", {}, "1 resource would be deleted"),
]
ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("resize", {"nodes": 2}),
    ("resize", {"nodes": 3}),
    ("autoscale", {}),
    ("autoscale", {"preset": "expiry", "ttl": "2h"}),
    ("autoscale", {"off": True}),
    ("create", {"nodes": 3, **LINE}),
]


def run(session: Session, verb: str, options: dict[str, Any]) -> pd.DataFrame:
    frame: pd.DataFrame = getattr(session, verb)("p", **options)
    return frame


def test_what_removes_nodes_waits_for_yes_on_azure(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.create("p", nodes=2, **LINE)
    other = ConcurrentClient(emulator_of(session))
    # As far as the verbs can tell, it is Azure.
    monkeypatch.setattr(connection_of(session), "emulator", None)
    for verb, options, said in WITHHELD:
        frame = run(session, verb, options)
        assert said in frame.attrs["caption"], verb
        assert frame.attrs["caption"].endswith("add --yes to do it")
        assert frame.attrs["withheld"] is True
    shown = session.pools()
    assert (shown.dedicated[0], shown.dedicated_target[0], shown.autoscale[0]) == (2, 2, False)
    assert shown.vm_size[0].lower() == LINE["vm_size"].lower()
    assert other.count_nodes("p") == (2, 0)
    for verb, options in ALLOWED:
        assert "withheld" not in run(session, verb, options).attrs, verb
    assert other.count_nodes("p") == (3, 0)
    assert other.count_nodes("p") == (3, 0)
    assert "withheld" not in session.resize("p", nodes=1, yes=True).attrs
    assert other.count_nodes("p") == (1, 0)
    session.autoscale("p", preset="pending-tasks", yes=True)
    assert bool(session.autoscale("p").autoscale[0])
    session.delete("p", yes=True)
    with pytest.raises(BatchImgError, match="no pool 'p'"):
        session.wait("p")


def test_the_emulator_does_not_ask_and_says_what_goes(session: Session) -> None:
    session.create("p", nodes=2, **LINE)
    said = session.autoscale("p", preset="pending-tasks")
    assert "it removes nodes that no pending task needs: 2 of 2 nodes idle now" in said.attrs["caption"]
    assert "withheld" not in said.attrs
    session.autoscale("p", off=True)
    session.resize("p", nodes=0)
    assert session.wait("p").dedicated[0] == 0


def test_the_label_of_azure_has_the_account_and_what_it_costs(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.connect(state=":memory:", speed="max")
    assert session.label == "LOCAL"
    connection = connection_of(session)
    monkeypatch.setattr(connection, "emulator", None)
    assert session.label == "AZURE · genomicsbatch · $0.00/h"
    session.create("p", nodes=2, **LINE)
    usd = float(session.pools().usd_per_hour[0])
    assert session.label == f"AZURE · genomicsbatch · ${usd:.2f}/h"
    session.resize("p", nodes=4)
    grown = float(session.pools().usd_per_hour[0])
    assert grown > usd
    requests_before = session.label
    session.resize("p", nodes=0, yes=True)
    assert requests_before != session.label == "AZURE · genomicsbatch · $0.00/h"
    session.delete("p", yes=True)
    assert session.label.endswith("$0.00/h")
    html = caption_html("AZURE · labbatch · $1,041.20/h · pools in <account>: 3")
    assert re.match(
        r'<span style="[^"]*var\(--jp-error-color1,#d32f2f\);[^"]*">AZURE · labbatch · <span>\$</span>1,041', html
    )
    assert html.endswith("1,041.20/h</span> · pools in &lt;account&gt;: 3")
    assert caption_html("AZURE · labbatch · VMs: 4").endswith("AZURE · labbatch</span> · VMs: 4")
    assert "span" not in caption_html("LOCAL · pools: 3")


def test_the_label_of_the_emulator_has_its_time_acceleration(session: Session) -> None:
    for speed, label in ((60, "LOCAL \N{MULTIPLICATION SIGN}60"), (1, "LOCAL"), ("max", "LOCAL")):
        session.connect(state=":memory:", speed=speed)
        assert session.label == label
