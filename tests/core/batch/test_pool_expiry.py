"""Autoscale, pools that expire, the history of resize attempts, and its plot."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.errors import ConflictError, NotFoundError, SpecError
from batchimg_magics.session.session import Session
from batchimg_magics.ui.cli import main
from tests.support.concurrent_client import ConcurrentClient
from tests.support.connections import connection_of, emulator_of
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5"}
HOUR = 3600.0


def pass_time(session: Session, seconds: float) -> None:
    """Let time pass while nobody is at work, as it does behind a closed laptop."""
    local = emulator_of(session)
    local.clock.advance(seconds)


def other_client(session: Session) -> ConcurrentClient:
    local = emulator_of(session)
    return ConcurrentClient(local)


# -- expiry ------------------------------------------------------------------------------------------------------


def test_azure_itself_takes_the_nodes_away(session: Session) -> None:
    session.create("p", nodes=3, spot=1, ttl="8h", **LINE)
    expires = session.pools().expires[0]
    assert expires - session.pools().created[0] < dt.timedelta(hours=8, seconds=5)
    pass_time(session, 7 * HOUR)
    assert other_client(session).count_nodes("p") == (3, 1)
    pass_time(session, 1.2 * HOUR)
    other_client(session).ask("GET", "/pools/p")  # Azure evaluates when it is due; the local Azure at the next look
    pass_time(session, 300)
    assert other_client(session).count_nodes("p") == (0, 0)


def test_resize_lifts_the_formula_and_sets_it_again(session: Session) -> None:
    session.create("p", nodes=3, ttl="8h", **LINE)
    before = session.pools().expires[0]
    session.resize("p", nodes=5)
    shown = session.autoscale("p")
    assert shown.autoscale[0]
    assert "lives ? 5 : 0" in shown.formula[0]
    assert shown.expires[0] == before == session.pools().expires[0]
    session.resize("p", nodes=5, ttl="2d")
    after = session.pools().expires[0]
    assert after > before + dt.timedelta(hours=30)
    assert f"{after:%Y-%m-%dT%H:%M:%SZ}" in session.autoscale("p").formula[0], "nothing was resized, and still"


def test_a_resize_that_failed_sets_it_again_for_what_is_there(session: Session) -> None:
    session.create("p", nodes=2, ttl="8h", **LINE)
    local = emulator_of(session)
    local.store.set_meta("allocation", {"unusable": 1.0})
    with pytest.raises(Exception, match="unusable nodes"):
        session.resize("p", nodes=10)
    assert "lives ? 10 : 0" in session.autoscale("p").formula[0]


def test_the_same_line_again_changes_nothing(session: Session) -> None:
    session.create("p", nodes=3, ttl="8h", **LINE)
    before = session.autoscale("p").drop(columns="evaluated").to_json(date_format="iso")
    pass_time(session, 60)
    steps = session.create("p", nodes=3, ttl="8h", **LINE)
    assert set(steps.action) == {"exists"}
    assert session.autoscale("p").drop(columns="evaluated").to_json(date_format="iso") == before


def test_a_pool_that_is_changed_keeps_its_expiry(session: Session) -> None:
    session.create("p", ttl="8h", **LINE)
    before = session.pools().expires[0]
    changed = session.create("p", start_task="/bin/true", **LINE)
    assert "changed" in set(changed.action)
    assert session.pools().expires[0] == before
    assert session.autoscale("p").expires[0] == before


def test_an_expired_pool_needs_a_new_ttl(session: Session) -> None:
    session.create("p", nodes=3, ttl="1h", **LINE)
    pass_time(session, 2 * HOUR)
    with pytest.raises(ConflictError, match="expired at") as caught:
        session.resize("p", nodes=3)
    assert "--ttl" in caught.value.hint
    session.resize("p", nodes=3, ttl="1h")
    assert other_client(session).count_nodes("p") == (3, 0)


def test_cleanup_deletes_pools_that_are_past_their_expiry(session: Session) -> None:
    session.create("old", nodes=1, ttl="1h", **LINE)
    session.create("young", nodes=1, ttl="9h", **LINE)
    session.create("lasting", nodes=1, **LINE)
    assert len(session.cleanup(delete=True)) == 0
    pass_time(session, 2 * HOUR)
    shown = session.cleanup()
    assert shown.pool.tolist() == ["old"]
    assert shown.kind.tolist() == ["expired pool"]
    assert shown.action.isna().all()
    assert "the next pool expires at" in shown.attrs["caption"]
    connection = connection_of(session)
    local, connection.emulator = connection.emulator, None  # as far as the verb can tell, it is real
    try:
        withheld = session.cleanup(delete=True)
        assert withheld.action.tolist() == ["would delete"]
        assert "--yes" in withheld.attrs["caption"]
        assert session.cleanup(delete=True, yes=True).action.tolist() == ["deleted"]
    finally:
        connection.emulator = local
    assert session.pools().pool.tolist() == ["lasting", "young"]


# -- autoscale ---------------------------------------------------------------------------------------------------


def test_a_formula_is_shown_tried_and_turned_off(session: Session) -> None:
    session.create("p", nodes=2, **LINE)
    assert not session.autoscale("p").autoscale[0]
    with pytest.raises(ConflictError, match="autoscale is off"):
        session.autoscale("p", evaluate=True)
    on = session.autoscale("p", formula="three = 3; $TargetDedicatedNodes = three;", interval="10m")
    assert on.interval_minutes.tolist() == [10.0]
    tried = session.autoscale("p", evaluate=True)
    assert dict(zip(tried.variable, tried.number, strict=True))["three"] == 3
    other = session.autoscale("p", evaluate=True, formula="$TargetDedicatedNodes = 7;")
    assert dict(zip(other.variable, other.number, strict=True))["$TargetDedicatedNodes"] == 7
    session.wait("p")
    assert other_client(session).count_nodes("p") == (3, 0)
    with pytest.raises(SpecError, match="cannot be evaluated"):
        session.autoscale("p", evaluate=True, formula="$TargetDedicatedNodes = 1 / 0;")
    with pytest.raises(SpecError, match="syntax error") as caught:
        session.autoscale("p", formula="$TargetDedicatedNodes = ;")
    assert caught.value.hint == "nothing was changed; correct the formula"
    assert not session.autoscale("p", off=True).autoscale[0]
    assert other_client(session).count_nodes("p") == (3, 0)


def test_preset_for_pending_tasks(session: Session) -> None:
    session.create("p", nodes=0, task_slots=2, **LINE)
    session.autoscale("p", preset="pending-tasks", nodes=2, spot=3)
    other = other_client(session)
    other.ask("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    for number in range(8):
        other.ask("POST", "/jobs/j/tasks", {"id": f"t{number}", "commandLine": "sleep 90000"})
    pass_time(session, 20 * 60)
    session.wait("p")
    assert other.count_nodes("p") == (2, 2), "eight tasks, two on a node"


def test_preset_for_working_hours(session: Session) -> None:
    session.create("p", nodes=0, **LINE)  # a Wednesday, nine in the morning
    session.autoscale("p", preset="working-hours", nodes=2)
    # The same line again finds its formula, whose first evaluation is resizing the pool; another one has to wait.
    assert session.autoscale("p", preset="working-hours", nodes=2).autoscale.all()
    with pytest.raises(ConflictError, match="is being resized"):
        session.autoscale("p", preset="working-hours", nodes=1)
    session.wait("p")
    assert other_client(session).count_nodes("p") == (2, 0)
    pass_time(session, 10 * HOUR)
    session.wait("p")
    assert other_client(session).count_nodes("p") == (0, 0)


def test_preset_for_an_expiry(session: Session) -> None:
    session.create("p", nodes=2, **LINE)
    with pytest.raises(SpecError, match="the preset expiry needs --ttl"):
        session.autoscale("p", preset="expiry")
    session.autoscale("p", preset="expiry", ttl="1h")
    session.autoscale("p", preset="expiry", ttl="1h")
    assert session.pools().expires.notna().all()
    assert session.autoscale("p", off=True).expires.isna().all()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"formula": "$x = 1;", "preset": "expiry"}, "--formula and --preset"),
        ({"off": True, "evaluate": True}, "--off cannot be combined"),
        ({"nodes": 3}, "no formula was given"),
        ({"preset": "hours"}, "--preset is 'hours'"),
        ({"preset": "expiry", "interval": "1m"}, "an evaluation interval of 1m"),
    ],
)
def test_settings_that_make_no_sense(session: Session, setting: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        session.autoscale("p", **setting)


def test_no_formula_is_set_during_a_resize(session: Session) -> None:
    session.create("p", nodes=1, **LINE)
    other_client(session).act("p", "resize")
    with pytest.raises(ConflictError, match="is being resized"):
        session.autoscale("p", preset="pending-tasks", nodes=3)
    with pytest.raises(NotFoundError, match="no pool 'q'"):
        session.autoscale("q", off=True)


# -- history -----------------------------------------------------------------------------------------------------


def test_history_has_all_rounds_of_all_sessions(tmp_path: Path) -> None:
    world = str(tmp_path / "world.db")
    for nodes in (3, 5):
        with Session() as session:
            session.connect(state=world, speed="max")
            session.create("p", nodes=nodes, **LINE)
            session.create("q", nodes=1, **LINE)
    with Session() as session:
        session.connect(state=world, speed="max")
        rounds = session.history("p")
        assert rounds.dedicated_target.tolist() == [1, 3, 5]
        assert str(rounds.started.dtype) == "datetime64[us, UTC]"
        assert rounds.dtypes.to_dict() == session.resize("p", nodes=5).dtypes.to_dict()
        assert sorted(set(session.history().pool)) == ["p", "q"]
        assert len(session.history("nobody")) == 0


def test_a_picture_stays_in_the_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython() as shell:
        run_cell(shell, "%batchimg create p --from-vm prep-vm --vm-size Standard_D2s_v5 --nodes 3")
        shown: list[dict[str, object]] = []
        shell.display_pub.publish = lambda data, **_: shown.append(data)
        rounds = run_cell(shell, "%batchimg history p --plot")
        assert rounds.dedicated_after.tolist() == [1, 3]
        assert any("image/png" in data for data in shown)
        run_cell(shell, "%batchimg delete p")
        run_cell(shell, "%batchimg create p --from-vm prep-vm --vm-size Standard_D2s_v5 --nodes 1")
        run_cell(shell, "%batchimg history p --plot")
        pictures = [data["image/png"] for data in shown if "image/png" in data]
        assert len(set(map(str, pictures))) == 2
    capsys.readouterr()


def test_a_picture_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))
    assert main(["create", "p", "--from-vm", "prep-vm", "--vm-size", "Standard_D2s_v5", "--nodes", "2"]) == 0
    assert main(["history", "p", "--plot"]) == 0
    assert "written: p-nodes.png" in capsys.readouterr().err
    assert (tmp_path / "p-nodes.png").read_bytes().startswith(b"\x89PNG")
    assert main(["history", "--plot"]) == 2
    assert main(["history", "q", "--plot"]) == 2
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["history", "p", "--plot"]) == 2
    assert "batchimg_magics[plot]" in capsys.readouterr().err


def test_history_that_cannot_be_kept_stops_no_work(tmp_path: Path) -> None:
    (tmp_path / "world.ledger.db").write_text("no database")
    with Session() as session:
        session.connect(state=str(tmp_path / "world.db"), speed="max")
        session.create("p", nodes=2, **LINE)
        assert len(session.history("p")) == 2
